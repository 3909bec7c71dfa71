-- SPDX-License-Identifier: MPL-2.0
-- The database account of a Scanhub hub: what it needs and no more.  Run it as
-- the database's administrator, with your own values for the placeholders:
--
--   HUB       where the hub connects from, as the database sees it: 127.0.0.1
--             with database: host on the same machine, localhost with database:
--             socket, else the hub's address
--   PASSWORD  the line in the hub's password_file
--   phpipam   phpIPAM's database, if it is called otherwise
--
-- in a copy that nobody else may read, for the password is in it then:
--
--   install -m 0600 grants.sql /root/grants.sql
--   editor /root/grants.sql
--   mariadb </root/grants.sql && rm /root/grants.sql
--
-- phpIPAM before 1.5 has no column isPool: delete it first.  After an upgrade
-- of phpIPAM run the GRANTs again, for columns that are new.

CREATE USER 'scanhub'@'HUB' IDENTIFIED BY 'PASSWORD';
GRANT SELECT (id, name, type, code, last_access),
 UPDATE (last_access)
 ON phpipam.scanAgents TO 'scanhub'@'HUB';
GRANT SELECT (id, subnet, mask, sectionId, vrfId,
  masterSubnetId, pingSubnet, discoverSubnet, resolveDNS,
  nameserverId, scanAgent, isFolder, isFull, isPool,
  lastScan, lastDiscovery, editDate, DNSrecords),
 UPDATE (lastScan, lastDiscovery, editDate)
 ON phpipam.subnets TO 'scanhub'@'HUB';
GRANT SELECT (id, subnetId, ip_addr, description, hostname,
  mac, state, note, lastSeen, excludePing, editDate),
 INSERT (subnetId, ip_addr, description, hostname, mac,
  state, note, lastSeen),
 UPDATE (lastSeen, hostname, mac, state, editDate)
 ON phpipam.ipaddresses TO 'scanhub'@'HUB';
GRANT SELECT (id, updateTag)
 ON phpipam.ipTags TO 'scanhub'@'HUB';
GRANT SELECT (id, version, dbversion, pingStatus, updateTags,
  enableChangelog, maintaneanceMode)
 ON phpipam.settings TO 'scanhub'@'HUB';
GRANT SELECT (id, namesrv1)
 ON phpipam.nameservers TO 'scanhub'@'HUB';

-- With phpipam_log: events in scanhub.yaml, one more:
-- GRANT INSERT (severity, date, username, ipaddr, command, details)
--  ON phpipam.logs TO 'scanhub'@'HUB';
