#!/bin/sh
# Sample data for a source: make_data.sh FOLDER. Random contents, because they cannot be guessed or compressed on the way.
set -eu
umask 022
mkdir -p "$1/goes16/2026" "$1/con espacios" "$1/vacía"
for number in 1 2 3; do
    head -c 2000000 /dev/urandom > "$1/goes16/2026/banda_$number.nc"
done
for number in 1 2 3 4 5 6 7 8 9; do
    head -c $((number * 700)) /dev/urandom > "$1/goes16/índice_$number.bin"
done
echo 'Datos de ejemplo' > "$1/con espacios/léeme.txt"
echo 'a name is a name' > "$1/con espacios/{{ lookup('pipe', 'id') }} \$(id) it's \"odd\"; -rf *"
: > "$1/con espacios/nada"
echo 'not hidden from its requester' > "$1/.oculto"
ln -s banda_1.nc "$1/goes16/2026/última.nc"
# Readable by the ssh user of the source only.
echo 'private to lanotadm' > "$1/con espacios/privado.txt"
chmod 0600 "$1/con espacios/privado.txt"
chown lanotadm: "$1/con espacios/privado.txt"
# None of these may reach the share.
ln -s /etc/passwd "$1/unsafe_absolute"
ln -s ../../../../etc/passwd "$1/con espacios/unsafe_relative"
mkfifo "$1/unsafe_fifo"
