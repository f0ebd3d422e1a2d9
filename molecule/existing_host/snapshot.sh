#!/bin/sh
# What must not change: snapshot.sh DATABASE TABLE prints it, so that two of them can be compared.
set -eu
echo '== configuration'
find /etc/pure-ftpd /etc/mysql /etc/ssl/private /etc/logrotate.d /etc/systemd/system -type f -exec sha256sum {} + | grep -v tempoftp | sort -k 2
find /etc/pure-ftpd /etc/mysql /etc/ssl/private -printf '%p %U:%G %m %l\n' | sort
echo '== table and login'
mariadb --batch --skip-column-names "$1" -e "SHOW CREATE TABLE $2; SELECT * FROM $2 WHERE User NOT LIKE 'ftp\\_alguien\\_%' ORDER BY User; SHOW GRANTS FOR pureftpd@localhost"
mariadb --batch --skip-column-names "$1" -e "SHOW VARIABLES LIKE 'bind_address'; SELECT User, Host, authentication_string FROM mysql.user WHERE User <> 'tempoftp' ORDER BY 1, 2"
echo '== users'
getent passwd | grep -v '^lanotadm:' | sort
getent group | grep -v '^lanotadm:' | sort
echo '== homes'
stat -c '%n %U:%G %a' /data
find /data /srv/ftp -mindepth 1 -not -path '/data/.tempoftp*' -not -path '*/compartida_*' -not -path '/data/ftp_alguien_*' -printf '%p %U:%G %m %y\n' | sort
# (.ftpquota is where pure-ftpd counts.)
find /data /srv/ftp -type f -not -path '/data/.tempoftp*' -not -path '*/compartida_*' -not -name .ftpquota -exec sha256sum {} + | sort -k 2
echo '== processes'
pgrep -x mariadbd
pgrep -f '^pure-ftpd \(SERVER\)'
pure-ftpwho -s -n | cut -d'|' -f1,2 | grep '|juan$'
