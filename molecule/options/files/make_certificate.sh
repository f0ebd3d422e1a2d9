#!/bin/sh
# A certificate for NAME as an authority gives it, with the authority's intermediate certificate behind it: make_certificate.sh FOLDER NAME
set -eu
umask 077
mkdir -p "$1"
cd "$1"
new="openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
if [ ! -e root.pem ]; then
    $new -x509 -days 30 -subj '/CN=Raíz de prueba' -utf8 -addext keyUsage=keyCertSign,cRLSign -keyout root.key -out root.pem
    $new -subj '/CN=Intermedia de prueba' -keyout intermediate.key -out intermediate.csr
    printf 'basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=keyCertSign,cRLSign\n' > intermediate.ext
    openssl x509 -req -days 30 -in intermediate.csr -CA root.pem -CAkey root.key -CAcreateserial -extfile intermediate.ext -out intermediate.pem
fi
$new -subj "/CN=$2" -keyout privkey.pem -out leaf.csr
printf 'subjectAltName=DNS:%s\n' "$2" > leaf.ext
openssl x509 -req -days 20 -in leaf.csr -CA intermediate.pem -CAkey intermediate.key -CAcreateserial -extfile leaf.ext -out leaf.pem
cat leaf.pem intermediate.pem > fullchain.pem
