#!/bin/sh
# libbgop as others use it: installed, found by pkg-config and by CMake, linked shared and static, run.
#   install_client.sh BUILD-FOLDER SOURCE-FOLDER
set -eu
build=$1 source=$2
to=$(mktemp -d)
trap 'rm -rf "$to"' EXIT
for component in library development; do
    cmake --install "$build" --component $component --prefix "$to/built" >/dev/null
done
mv "$to/built" "$to/usr" # it can be moved as a whole
library=$(dirname "$(find "$to/usr" -name libbgop.pc)")/..
export PKG_CONFIG_PATH="$library/pkgconfig" LD_LIBRARY_PATH="$library"
example=$to/usr/share/doc/libbgop-dev/examples/example.c # the one that the manual page names
cmp "$example" "$source/common/client/example.c"

# A program that runs says what is wrong with this address, and ends with 1.
says_what_is_wrong() {
    if BGOP_REDIS=nonsense "$1" >"$to/out" 2>&1; then
        echo "$1 took a wrong address"
        exit 1
    fi
    grep -q 'Redis address: expected' "$to/out" || { cat "$to/out"; exit 1; }
}

# shellcheck disable=SC2046 # words are meant
cc "$example" $(pkg-config --cflags --libs libbgop) -o "$to/shared"
says_what_is_wrong "$to/shared"
# shellcheck disable=SC2046
cc "$example" $(pkg-config --cflags libbgop) "$library/libbgop.a" \
    $(pkg-config --libs rdkafka hiredis openssl jansson libprotobuf-c libisal) -pthread -o "$to/static"
says_what_is_wrong "$to/static"

foreign=$(nm --defined-only --extern-only "$library/libbgop.a" | awk 'NF == 3 && $3 !~ /^bgop_[a-z]/')
[ -z "$foreign" ] || { echo "libbgop.a exports more than its own: $foreign"; exit 1; }
foreign=$(nm --dynamic --defined-only "$library/libbgop.so" | awk '$3 !~ /^bgop_[a-z]/')
[ -z "$foreign" ] || { echo "libbgop.so exports more than its own: $foreign"; exit 1; }

mkdir "$to/cmake"
cat >"$to/cmake/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.25)
project(consumer C)
find_package(bgop REQUIRED)
add_executable(consumer $example)
target_link_libraries(consumer bgop::bgop)
END
cmake -S "$to/cmake" -B "$to/cmake/build" -DCMAKE_PREFIX_PATH="$to/usr" >/dev/null
cmake --build "$to/cmake/build" >/dev/null
says_what_is_wrong "$to/cmake/build/consumer"
