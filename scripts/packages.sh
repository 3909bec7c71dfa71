# SPDX-License-Identifier: MPL-2.0
# For bash scripts to source: which of Debian's packages are missing, and how
# they get installed.  A table has lines "package kind names..."; one name of
# the kind (command, file, library for pkg-config, module for Python, fuzzer for
# a compiler that has libFuzzer) is enough.  Packages that start a system
# service have no place in it (rsync's does nothing without /etc/rsyncd.conf).

# What a build needs.
PACKAGES_BUILD='
gcc                 command cc
libc6-dev           file    /usr/include/stdio.h
make                command make
autoconf            command autoreconf
automake            command automake
pkg-config          command pkg-config
libzmq3-dev         library libzmq
libczmq-dev         library libczmq
libsodium-dev       library libsodium
libmariadb-dev      library libmariadb
libmsgpack-dev      library msgpack-c msgpack
libyaml-dev         library yaml-0.1
libexpat1-dev       library expat
libc-ares-dev       library libcares
libmicrohttpd-dev   library libmicrohttpd
libgnutls28-dev     library gnutls
libjansson-dev      library jansson
libsqlite3-dev      library sqlite3
'
# What the programs and a private database need.
PACKAGES_RUN='
tzdata              file    /usr/share/zoneinfo/Europe/Berlin
mariadb-server-core command mariadbd
mariadb-client-core command mariadb
curl                command curl
'
# What the tests need besides.
PACKAGES_TEST='
fping               command fping
iproute2            command ip
libcmocka-dev       library cmocka
galera-4            file    /usr/lib/galera/libgalera_smm.so
lsof                command lsof ss
mandoc              command mandoc
nftables            command nft
nmap                command nmap
openssl             command openssl
python3             file    /usr/bin/python3
python3-msgpack     module  msgpack
python3-zmq         module  zmq
rsync               command rsync
valgrind            command valgrind
zsh                 command zsh
'
# What scripts/check-packages needs besides; what is missing is skipped.
PACKAGES_PACKAGE='
debhelper           command dh
debootstrap         command debootstrap
lintian             command lintian
rpm                 command rpmspec
'
# What scripts/fuzz needs besides.
PACKAGES_FUZZ='
clang               command clang
libclang-rt-dev     fuzzer  clang
llvm                command llvm-symbolizer
'
# What scripts/lint needs besides.
PACKAGES_LINT='
clang               command clang
clang-tidy          command clang-tidy
clang-tools         command scan-build
cppcheck            command cppcheck
'
# What scripts/memcheck needs besides.
PACKAGES_MEMCHECK='
valgrind            command valgrind
'

# Does the compiler $1 link a target with libFuzzer and AddressSanitizer?
packages_fuzzer ()
{
    echo 'int LLVMFuzzerTestOneInput (const char *at, unsigned long size);
        int LLVMFuzzerTestOneInput (const char *at, unsigned long size)
        { return !at + !size; }' |
        "$1" -fsanitize=fuzzer,address -x c - -o /dev/null
}

packages_have ()
{
    local kind=$1 name
    shift
    for name; do
        case $kind in
        command) command -v "$name" ;;
        file) [ -e "$name" ] ;;
        library) pkg-config --exists "$name" ;;
        fuzzer) packages_fuzzer "$name" ;;
        module) /usr/bin/python3 -c "import $name" ;;
        esac >/dev/null 2>&1 && return 0
    done
    return 1
}

# Prints what of table $1 is missing, in one line.
packages_missing ()
{
    local package probe list=
    while read -r package probe; do
        # shellcheck disable=SC2086
        [ -z "$package" ] || packages_have $probe || list="$list $package"
    done <<<"$1"
    printf '%s\n' "${list# }"
}

# One apt-get call; before it an update where the lists do not know a package.
packages_install ()
{
    local as_root=()
    [ "$(id -u)" = 0 ] || as_root=(sudo)
    as_root+=(env DEBIAN_FRONTEND=noninteractive)
    # shellcheck disable=SC2086
    {
        apt-cache show --no-all-versions $1 >/dev/null 2>&1 ||
            "${as_root[@]}" apt-get -q update
        "${as_root[@]}" apt-get -q -y --no-install-recommends install $1
    } </dev/null
}

# Everything of table $1 is there afterwards, or there is a sentence on
# standard error and 1 is returned.  $2: may anything be installed (1 or 0);
# $3: the file that apt-get's output goes to.
packages_need ()
{
    local missing
    missing=$(packages_missing "$1")
    [ -n "$missing" ] || return 0
    if [ "$2" = 0 ]; then
        echo "Missing, and --no-install was given: $missing" >&2
        return 1
    elif ! command -v apt-get >/dev/null; then
        echo "There is no apt-get here. Install what these Debian packages" \
            "have, then try again: $missing" >&2
        return 1
    elif [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
        echo "Packages are missing, and you are neither root nor is there" \
            "sudo. As root: apt-get install $missing" >&2
        return 1
    fi
    echo "Installing with apt-get (none of these starts a system service):"
    fold -s -w 76 <<<"$missing" | sed 's/^/  /'
    if ! packages_install "$missing" >>"$3" 2>&1; then
        tail -n 20 "$3" >&2
        echo "apt-get could not install these packages (see above)." >&2
        return 1
    fi
    missing=$(packages_missing "$1")
    [ -z "$missing" ] || {
        echo "Still missing after apt-get: $missing" >&2
        return 1
    }
}

# Some packages have one program that we want and a service that we do not.  So
# file $2 of package $1 is unpacked below directory $3, and nothing installed.
packages_unpack ()
{
    [ ! -e "$3/$2" ] || return 0
    mkdir -p "$3/download" && (
        cd "$3/download" || exit 1
        apt-get -q download "$1" || {
            apt-get -q update && apt-get -q download "$1"
        } || exit 1
        dpkg-deb --fsys-tarfile "$1"_*.deb | tar -x -C .. "./$2"
    )
}
