# pkg_config.sh COMPILER SOURCE PROGRAM: as a Makefile without CMake would do it.
set -eu
flags=$(pkg-config --cflags --libs flow)
"$1" -std=c++20 "$2" -o "$3" $flags
exec "$3"
