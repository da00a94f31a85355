#!/bin/bash
# Properties of tools/computenode. Prints a line per check and, last, "N passed, N failed, N skipped".
# shellcheck disable=SC2016  # the node's shell expands what is quoted
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
node=$root/tools/computenode
passed=0 failed=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

check() { # NAME EXPECTED FOUND
  if [[ $2 == "$3" ]]; then
    echo "ok    computenode: $1"
    passed=$((passed + 1))
  else
    printf 'FAIL  computenode: %s\n      expected: %q\n      found:    %q\n' "$1" "$2" "$3"
    failed=$((failed + 1))
  fi
}

# One boot for what a command sees.
mkdir "$scratch/out"
NODE_OUT=$scratch/out "$node" -e "TEXT=it's \$HOME" -- bash -c '
  echo to-stderr >&2
  echo "text=$TEXT"
  echo "out=$NODE_OUT"
  echo "directory=$PWD"
  echo written >"$NODE_OUT/file"
  echo lost >/etc/written-in-the-node
  modprobe dm-flakey && modprobe dm-delay && modprobe scsi_debug && echo modules
  truncate -s 32M /run/file && loop=$(losetup --find --show /run/file)
  printf secret | cryptsetup luksFormat -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 "$loop" - &&
    printf secret | cryptsetup open "$loop" plain --key-file - && [[ -b /dev/mapper/plain ]] && echo dm-crypt
  seq 1 200000
  exit 7' >"$scratch/stdout" 2>"$scratch/stderr"
check "the exit status is the command's" 7 $?
check "errors are kept apart from output" to-stderr "$(<"$scratch/stderr")"
check "-e passes a variable unchanged" "text=it's \$HOME" "$(grep ^text= "$scratch/stdout")"
check "NODE_OUT is the caller's directory" "out=$scratch/out" "$(grep ^out= "$scratch/stdout")"
check "the command runs in the caller's directory" "directory=$PWD" "$(grep ^directory= "$scratch/stdout")"
check "what is written to NODE_OUT stays" written "$(cat "$scratch/out/file")"
check "nothing else is left in NODE_OUT" file "$(ls "$scratch/out")"
check "nothing else that is written stays" no "$([[ -e /etc/written-in-the-node ]] && echo yes || echo no)"
check "modprobe finds the test targets" modules "$(grep ^modules "$scratch/stdout")"
check "dm-crypt works" dm-crypt "$(grep ^dm-crypt "$scratch/stdout")"
check "no line of long output is lost" "$(seq 1 200000 | md5sum)" "$(tail -n 200000 "$scratch/stdout" | md5sum)"

"$node" -s -- bash -c '
  systemctl is-active --quiet basic.target && echo basic
  cat /proc/1/comm
  udevadm settle && echo udev
  busctl --no-pager status org.freedesktop.DBus >/dev/null && echo dbus
  [[ -x $0 ]] && echo files
  exit 3' "$node" >"$scratch/stdout" 2>"$scratch/stderr"
check "-s: the exit status is the command's" 3 $?
check "-s: systemd, udev and D-Bus run, and the host's files are there" "basic systemd udev dbus files" \
  "$(tr '\n' ' ' <"$scratch/stdout" | sed 's/ $//')"

"$node" -t 4 -- sleep 100 2>"$scratch/stderr"
check "124 when the time is up" 124 $?
check "the message names the limit" "computenode: the time is up: 4 s (-t)" "$(<"$scratch/stderr")"

"$node" -- bash -c 'echo c >/proc/sysrq-trigger; sleep 100' >/dev/null 2>"$scratch/stderr"
check "125 when the kernel dies" 125 $?
check "its kernel log is shown" yes "$(grep -q 'Kernel panic' "$scratch/stderr" && echo yes)"

for i in 1 2 3; do
  "$node" -- echo "node $i" >"$scratch/$i" &
done
wait
check "several run at once" "node 1 node 2 node 3" "$(cat "$scratch"/[123] | tr '\n' ' ' | sed 's/ $//')"

truncate -s 8M "$scratch/disk"
read -r first_port second_port < <(/usr/bin/python3 -c '
import socket
sockets = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(2)]
for each in sockets: each.bind(("127.0.0.1", 0))
print(*(each.getsockname()[1] for each in sockets))')
linked() { # OWN-PORT OTHER-PORT ADDRESS SCRIPT
  "$node" -d "$scratch/disk" -l "$1:$2" -- bash -c "ip address add $3/24 dev vec0 && ip link set vec0 up; $4"
}
linked "$first_port" "$second_port" 10.42.0.1 "/usr/bin/python3 -c '
import socket
with socket.create_server((\"10.42.0.1\", 7000)) as server:
    print(server.accept()[0].recv(100).decode())'
  head -c 7 /dev/ubda" >"$scratch/first" &
linked "$second_port" "$first_port" 10.42.0.2 'printf written | dd of=/dev/ubda conv=fsync status=none
  until echo linked >/dev/tcp/10.42.0.1/7000; do sleep 0.2; done' 2>"$scratch/second"
wait
check "-l: what a linked node sends arrives; -d: what it writes to a shared disk is there" "linked written" \
  "$(tr -s '\n' ' ' <"$scratch/first")"
check "-d: a file that does not exist is refused" 125 "$("$node" -d "$scratch/none" -- true 2>/dev/null; echo $?)"

# Interrupted before, while and after the kernel boots.
for delay in 0.3 3; do
  TMPDIR=$scratch "$node" -- sleep 100 &
  interrupted=$!
  sleep "$delay"
  kill -TERM "$interrupted"
  wait "$interrupted"
  check "143 when it is terminated after $delay s" 143 $?
  for _ in {1..100}; do # what was killed takes a moment to go
    left=$(pgrep --full "umid=computenode-$interrupted " --runstates DIRSTt) || break
    sleep 0.1
  done
  check "no kernel process is left after $delay s" "" "$left"
  check "no file is left after $delay s" "" "$(find "$scratch" -maxdepth 1 -name 'computenode.*')"
done

PATH=/nowhere /bin/bash "$node" -- true 2>"$scratch/stderr"
check "125 without User Mode Linux" 125 $?
check "and the package is named" yes "$(grep -q 'apt-get install user-mode-linux' "$scratch/stderr" && echo yes)"
"$node" -x -- true 2>"$scratch/stderr"
check "125 for an unknown option" 125 $?
"$node" --help >"$scratch/stdout"
check "--help succeeds" 0 $?

echo "$passed passed, $failed failed, 0 skipped"
((failed == 0))
