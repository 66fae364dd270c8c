#!/usr/bin/env bash
# Makes sure that what a target needs is on this machine. Quick when nothing is missing.
#
#   tidy/setup.sh build    a C toolchain for the bundled codecs, and Node for the pages
#   tidy/setup.sh test     the above and every real client and source that the tests drive
#   tidy/setup.sh bench    what build needs, and what makes, hears and compares the sound that is measured
#
# As root on Debian it installs what is missing; otherwise it says what to install and stops.
set -euo pipefail
PATH="$PATH:/usr/sbin:/sbin"

# package, and the command that proves it is there already ("-": only the package list knows)
build_needs="
build-essential   cc
cmake             cmake
curl              curl
git               git
"
test_needs="
apache2-utils                 ab
ffmpeg                        ffmpeg
hey                           hey
iproute2                      ip
mpv                           mpv
vlc-bin                       cvlc
vlc-plugin-base               -
gstreamer1.0-tools            gst-launch-1.0
gstreamer1.0-plugins-base     -
gstreamer1.0-plugins-good     -
gstreamer1.0-plugins-bad      -
gstreamer1.0-plugins-ugly     -
gstreamer1.0-libav            -
butt                          butt
ices2                         ices2
liquidsoap                    liquidsoap
chromium                      chromium
nftables                      nft
nghttp2-client                h2load
nginx-light                   nginx
varnish                       varnishd
wrk                           wrk
opus-tools                    opusinfo
python3-aiortc                -
oggz-tools                    oggz-validate
openssl                       openssl
siege                         siege
slowhttptest                  slowhttptest
vorbis-tools                  oggenc
xauth                         xauth
xvfb                          xvfb-run
"
bench_needs="
asterisk-core-sounds-en-g722  -
asterisk-core-sounds-fr-g722  -
chromium                      chromium
espeak-ng                     espeak-ng
ffmpeg                        ffmpeg
icecast2                      icecast2
janus                         janus
nginx-light                   nginx
python3-dev                   -
python3-venv                  -
sox                           sox
wrk                           wrk
"

die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

installed() { # package
    command -v dpkg-query >/dev/null || return 0
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing() { # table
    while read -r package command; do
        [ -n "$package" ] || continue
        if [ "$command" != - ]; then command -v "$command" >/dev/null && continue; fi
        if [ "$command" = - ] || command -v dpkg-query >/dev/null; then installed "$package" && continue; fi
        printf '%s ' "$package"
    done <<<"$1"
}

# Debian starts a freshly installed nginx or varnish at once; on a developer's machine nobody asked for that.
install_quietly() {
    local policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod +x "$policy"
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q
    apt-get install -q -y --no-install-recommends "$@"
}

case "${1:-}" in
    build) wanted="$(missing "$build_needs")" ;;
    test) wanted="$(missing "$build_needs$test_needs")" ;;
    bench) wanted="$(missing "$build_needs$bench_needs")" ;;
    *) die 'say what for: "build", "test" or "bench".' ;;
esac

if [ -n "$wanted" ]; then
    command -v apt-get >/dev/null || die "please install: $wanted"
    [ "$(id -u)" = 0 ] || die "please run: sudo apt-get install --no-install-recommends $wanted"
    echo "setup: installing $wanted"
    # shellcheck disable=SC2086  # the list is words
    install_quietly $wanted
fi

command -v cargo >/dev/null || die 'Rust is missing: https://rustup.rs installs it.'
command -v node >/dev/null || die 'Node 20 or newer is missing: https://nodejs.org has it.'
command -v npm >/dev/null || die 'npm is missing: it comes with Node, see https://nodejs.org.'
node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)' ||
    die "Node $(node --version) is too old: the pages are built and tested with 20 or newer."
if [ "$1" = test ]; then
    cargo fmt --version >/dev/null 2>&1 || die 'rustfmt is missing: rustup component add rustfmt'
    cargo clippy --version >/dev/null 2>&1 || die 'clippy is missing: rustup component add clippy'
fi
