#!/bin/sh
# Makes a certificate for localhost that nobody vouches for, where /certs has none: put your own there, chain and key in
# one file.
set -eu
[ ! -s /certs/proxy.pem ] || exit 0
umask 077
cd /certs
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 \
  -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout key.new -out certificate.new 2> /dev/null
cat certificate.new key.new > proxy.new
rm certificate.new key.new
# The user haproxy of HAProxy's image.
chown 99:99 proxy.new
mv proxy.new proxy.pem
echo 'made /certs/proxy.pem'
