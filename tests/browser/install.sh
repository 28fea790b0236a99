#!/usr/bin/env bash
# Installs what the browser tests need: Debian's Chromium, and Playwright in .venv (it drives the browser;
# none of its own is downloaded). Each step may fail; the tests skip what is not there, by name.
set -u
cd "$(dirname "$0")/../.."

say() { printf '   %s\n' "$*"; }

if ! command -v chromium >/dev/null && command -v apt-get >/dev/null; then
    root=()
    [ "$(id -u)" = 0 ] || root=(sudo -n)
    say "installing with apt: chromium"
    export DEBIAN_FRONTEND=noninteractive
    "${root[@]}" apt-get update -qq >/dev/null
    "${root[@]}" apt-get install -y -qq --no-install-recommends chromium >/dev/null || say "failed: chromium"
fi
scripts/venv dev && scripts/venv browser || say "failed: playwright"
say "chromium: $(chromium --version 2>/dev/null || echo none)"
