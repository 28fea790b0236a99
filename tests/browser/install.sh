#!/usr/bin/env bash
# Installs what the browser tests need: Debian's Chromium and Firefox ESR, certutil for their trust, and
# Playwright in .venv (it drives Chromium; none of its own browsers is downloaded). Each step may fail; the
# tests skip what is not there, by name.
set -u
cd "$(dirname "$0")/../.."

say() { printf '   %s\n' "$*"; }

missing=()
for pair in chromium:chromium firefox-esr:firefox-esr certutil:libnss3-tools; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
done
if [ ${#missing[@]} -gt 0 ] && command -v apt-get >/dev/null; then
    root=()
    [ "$(id -u)" = 0 ] || root=(sudo -n)
    say "installing with apt: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    "${root[@]}" apt-get update -qq >/dev/null
    # All at once is quick; one by one goes on without those that are not to be had.
    "${root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
        for package in "${missing[@]}"; do
            "${root[@]}" apt-get install -y -qq --no-install-recommends "$package" >/dev/null ||
                say "failed: $package"
        done
fi
scripts/venv dev && scripts/venv browser || say "failed: playwright"
say "chromium: $(chromium --version 2>/dev/null || echo none)"
say "firefox: $(firefox-esr --version 2>/dev/null || echo none)"
