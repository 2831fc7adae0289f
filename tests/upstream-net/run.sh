#!/usr/bin/env bash
# The transport through real programs of others: squid without, with basic and with NTLM authentication, nginx with
# TLS under its own authority; and how fast a verified file comes beside curl. Everything on loopback.
# Needs squid (with basic_ncsa_auth and ntlm_fake_auth), nginx, curl and openssl; skips what is not there.
set -uo pipefail
cd "$(dirname "$0")/../.."
passed=0 failed=0 skipped=0
missing=
for command in squid nginx curl openssl; do
  command -v "$command" >/dev/null 2>&1 || [ -x "/usr/sbin/$command" ] || missing="$missing $command"
done
if [ -n "$missing" ]; then
  echo "skipped: not installed:$missing"
  echo "0 passed, 0 failed, 1 skipped"
  exit 0
fi
PATH="$PATH:/usr/sbin"
cargo build --quiet -p sluicegate-upstream --example fetch || { echo "0 passed, 1 failed"; exit 1; }
fetch="${CARGO_TARGET_DIR:-$PWD/target}/debug/examples/fetch"
work=$(mktemp -d) && chmod 755 "$work"
pids=()
finish() { for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done; wait 2>/dev/null; rm -rf "$work"; }
trap finish EXIT
cd "$work" || exit 1

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
wait_for() { for _ in $(seq 100); do (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return 0; sleep 0.1; done; echo "nobody listens on $1"; return 1; }

# check NAME EXPECTED-TEXT COMMAND...: the command's output must hold the text.
check() {
  local name="$1" expected="$2" out; shift 2
  out=$("$@" 2>&1)
  if grep -qF -- "$expected" <<<"$out"; then passed=$((passed + 1)); echo "ok: $name"
  else failed=$((failed + 1)); echo "FAILED: $name: expected \`$expected\` in: $out"; fi
}
refuse() { # refuse NAME TEXT COMMAND...: the output must not hold the text.
  local name="$1" text="$2" out; shift 2
  out=$("$@" 2>&1)
  if grep -qF -- "$text" <<<"$out"; then failed=$((failed + 1)); echo "FAILED: $name: \`$text\` in: $out"
  else passed=$((passed + 1)); echo "ok: $name"; fi
}

# An authority, a server certificate, and nginx with and without TLS.
http=$(free_port) https=$(free_port)
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=Test authority" -keyout ca.key -out ca.pem 2>/dev/null
openssl req -newkey rsa:2048 -nodes -subj "/CN=localhost" -keyout server.key -out server.csr 2>/dev/null
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out server.pem \
  -extfile <(printf 'subjectAltName=DNS:localhost') 2>/dev/null
mkdir www
printf '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><x/></soap:Body></soap:Envelope>' > www/soap.xml
megabytes=${SLUICEGATE_NET_MEGABYTES:-256}
head -c "${megabytes}M" /dev/urandom > www/large.cab
chmod -R a+rX www
user_line=; [ "$(id -u)" -eq 0 ] && user_line="user root;"
cat > nginx.conf <<CONF
$user_line
daemon off; master_process off; pid $work/nginx.pid; error_log $work/nginx.log;
events {}
http {
  access_log off; sendfile on; client_body_temp_path $work/b; proxy_temp_path $work/p; fastcgi_temp_path $work/f;
  uwsgi_temp_path $work/u; scgi_temp_path $work/s;
  types { text/xml xml; }
  server {
    listen 127.0.0.1:$http; listen 127.0.0.1:$https ssl;
    ssl_certificate $work/server.pem; ssl_certificate_key $work/server.key;
    root $work/www; error_page 405 =200 /soap.xml;
  }
}
CONF
nginx -e "$work/nginx.log" -c "$work/nginx.conf" 2>nginx.err & pids+=($!)
wait_for "$http" || cat nginx.err

# start_squid NAME LINES: leaves its port in $port.
start_squid() {
  port=$(free_port)
  mkdir "$1" && chmod 777 "$1"
  cat > "$1/squid.conf" <<CONF
http_port 127.0.0.1:$port
pid_filename $work/$1/squid.pid
access_log none
cache_log $work/$1/cache.log
cache deny all
coredump_dir $work/$1
# Nobody answers there, so only names of the hosts file resolve, whatever network this machine is in.
dns_nameservers 127.0.0.1
dns_timeout 1 second
dns_retransmit_interval 1 second
shutdown_lifetime 0 seconds
acl CONNECT method CONNECT
acl blocked dstdomain blocked.example
$2
http_access deny blocked
http_access allow ${3:-all}
http_access deny all
CONF
  squid -N -f "$work/$1/squid.conf" >"$1/out" 2>&1 & pids+=($!)
  wait_for "$port" || cat "$1/out" "$1/cache.log"
}
helpers=/usr/lib/squid
printf 'sync:%s\n' "$(openssl passwd -apr1 good)" > passwords; chmod 644 passwords
start_squid open ""; open=$port
start_squid basic "auth_param basic program $helpers/basic_ncsa_auth $work/passwords
auth_param basic realm test
acl known proxy_auth REQUIRED" known; basic=$port
start_squid ntlm "auth_param ntlm program $helpers/ntlm_fake_auth
auth_param ntlm children 2
acl known proxy_auth REQUIRED" known; ntlm=$port

plain="http://localhost:$http/soap.xml" tls="https://localhost:$https/soap.xml"
good=(--user sync --password good)
check "TLS with the authority given" "answer of" "$fetch" --ca ca.pem post "$tls"
check "TLS with an unknown authority" "CertificateNotTrusted" "$fetch" post "$tls"
check "the unknown authority is named" "Test authority" "$fetch" post "$tls"
for kind in open basic ntlm; do
  proxy="http://127.0.0.1:${!kind}"
  check "$kind: a call" "answer of" "$fetch" --proxy "$proxy" "${good[@]}" post "$plain"
  check "$kind: a call over TLS" "answer of" "$fetch" --proxy "$proxy" "${good[@]}" --ca ca.pem post "$tls"
  check "$kind: a file" "file of $((megabytes << 20)) bytes" "$fetch" --proxy "$proxy" "${good[@]}" get "http://localhost:$http/large.cab"
  # Squid 5.7 does not say that it was the name (ERR_READ_ERROR, ERR_CANNOT_FORWARD); others say ERR_DNS_FAIL.
  check "$kind: a name the proxy cannot resolve" "through the proxy 127.0.0.1:${!kind}): the proxy" "$fetch" --proxy "$proxy" "${good[@]}" post "http://no-such-host.invalid/x"
  check "$kind: the same over TLS" "through the proxy 127.0.0.1:${!kind}): the proxy" "$fetch" --proxy "$proxy" "${good[@]}" post "https://no-such-host.invalid/x"
  check "$kind: a port where nobody listens" "ConnectionRefused" "$fetch" --proxy "$proxy" "${good[@]}" post "http://localhost:1/x"
done
for kind in basic ntlm; do
  proxy="http://127.0.0.1:${!kind}"
  check "$kind: no password given" "ProxyAuthenticationRequired" "$fetch" --proxy "$proxy" post "$plain"
  check "$kind: no password given, over TLS" "ProxyAuthenticationRequired" "$fetch" --proxy "$proxy" --ca ca.pem post "$tls"
done
check "basic: a wrong password" "did not accept" "$fetch" --proxy "http://127.0.0.1:$basic" --user sync --password hunter2 post "$plain"
refuse "basic: the wrong password is not shown" hunter2 "$fetch" --proxy "http://127.0.0.1:$basic" --user sync --password hunter2 post "$plain"
check "the scheme offered is named" "it offers: NTLM" "$fetch" --proxy "http://127.0.0.1:$ntlm" post "$plain"
check "a host the proxy refuses" "ProxyRefused" "$fetch" --proxy "http://127.0.0.1:$open" post "http://blocked.example/x"
check "the proxy is down" "the proxy 127.0.0.1:1 refused" "$fetch" --proxy "http://127.0.0.1:1" post "$plain"

# Beside curl: the same file, verified while it comes; the best of five each, taken in turns.
size=$((megabytes << 20)) sha1=$(sha1sum < www/large.cab | cut -d' ' -f1) sha256=$(sha256sum < www/large.cab | cut -d' ' -f1)
best() { sort -n | head -1; }
for _ in 1 2 3 4 5; do
  curl -s -o curl.out -w '%{time_total}\n' "http://localhost:$http/large.cab" >> curl.times
  "$fetch" content "http://localhost:$http/large.cab" "$size" "$sha1" "$sha256" >> our.times
done
ratio=$(awk -v theirs="$(best < curl.times)" -v ours="$(best < our.times)" 'BEGIN { printf "%.2f", theirs / ours }')
echo "content beside curl: ${ratio:-none} of its speed ($megabytes MiB; curl $(best < curl.times) s, verified $(best < our.times) s)"
check "a verified file comes" "." cat our.times
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
