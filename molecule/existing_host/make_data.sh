#!/bin/sh
# A little data for a source: make_data.sh FOLDER.
set -eu
umask 022
mkdir -p "$1/2026"
head -c 300000 /dev/urandom > "$1/propio.bin"
echo 'Datos de ejemplo' > "$1/2026/léeme.txt"
