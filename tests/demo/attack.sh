#!/bin/sh
# The staged attack that the demo shows: a vulnerable web application on web-03, and what comes in through it.
# Runs in namespaces of its own (pid, mount, network, host name); nothing on the host is changed.
set -u
hostname web-03
ip link set lo up
mount --make-rprivate /
for folder in /tmp /var/log /etc/cron.d /root /srv; do mount -t tmpfs none "$folder"; done
echo 'Nov 23 02:13:01 web-03 sshd[611]: Accepted publickey for alice' >>/var/log/auth.log
cp /mnt/app.py /mnt/intruder.py /srv/

/usr/bin/python3 -S /srv/app.py &
application=$!
# What such a host does all day: a look around every now and then.
( while sleep 3; do ls /var/log >/dev/null; cat /etc/hosts /etc/resolv.conf >/dev/null; done ) &
daily=$!
sleep 4
/usr/bin/python3 -S /srv/intruder.py
sleep 2
kill $daily $application
