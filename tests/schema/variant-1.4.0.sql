-- SPDX-License-Identifier: MPL-2.0
-- Loaded after phpipam-1.8.2.sql: the same tables as phpIPAM 1.4.0 has them.
-- Flags may be NULL, two of them are BINARY(1), isPool is not there yet, and
-- all text is three-byte UTF-8.

ALTER TABLE scanAgents  CONVERT TO CHARACTER SET utf8 COLLATE utf8_general_ci;
ALTER TABLE subnets     CONVERT TO CHARACTER SET utf8 COLLATE utf8_general_ci;
ALTER TABLE ipaddresses CONVERT TO CHARACTER SET utf8 COLLATE utf8_general_ci;
ALTER TABLE ipTags      CONVERT TO CHARACTER SET utf8 COLLATE utf8_general_ci;
ALTER TABLE settings    CONVERT TO CHARACTER SET utf8 COLLATE utf8_general_ci;
ALTER TABLE nameservers CONVERT TO CHARACTER SET utf8 COLLATE utf8_general_ci;
ALTER TABLE sections    CONVERT TO CHARACTER SET utf8 COLLATE utf8_general_ci;
ALTER TABLE vrf         CONVERT TO CHARACTER SET utf8 COLLATE utf8_general_ci;
ALTER TABLE logs        CONVERT TO CHARACTER SET utf8 COLLATE utf8_general_ci;
ALTER TABLE changelog   CONVERT TO CHARACTER SET utf8 COLLATE utf8_general_ci;

ALTER TABLE subnets
    DROP COLUMN isPool,
    MODIFY description    TEXT DEFAULT NULL,
    MODIFY pingSubnet     BOOL NULL DEFAULT 0,
    MODIFY discoverSubnet BINARY(1) NULL DEFAULT '0',
    MODIFY resolveDNS     BOOL NULL DEFAULT 0,
    MODIFY DNSrecursive   BOOL NULL DEFAULT 0,
    MODIFY DNSrecords     BOOL NULL DEFAULT 0,
    MODIFY isFolder       BOOL NULL DEFAULT 0,
    MODIFY isFull         BOOL NULL DEFAULT 0;

ALTER TABLE ipaddresses
    MODIFY is_gateway  BOOL NULL DEFAULT 0,
    MODIFY note        TEXT DEFAULT NULL,
    MODIFY excludePing BINARY(1) NULL DEFAULT '0',
    MODIFY PTRignore   BINARY(1) NULL DEFAULT '0';

ALTER TABLE settings
    MODIFY log SET('Database', 'syslog', 'both') NOT NULL DEFAULT 'Database';

ALTER TABLE sections
    DROP COLUMN showSubnet,
    MODIFY strictMode BINARY(1) NOT NULL DEFAULT '1';

ALTER TABLE logs
    MODIFY command VARCHAR(128) DEFAULT NULL,
    MODIFY details VARCHAR(1024) DEFAULT NULL;

ALTER TABLE changelog
    MODIFY caction SET('add', 'edit', 'delete', 'truncate', 'resize',
                       'perm_change') NOT NULL DEFAULT 'edit',
    MODIFY cresult SET('error', 'success') NOT NULL DEFAULT '',
    MODIFY cdiff   VARCHAR(2048) DEFAULT NULL;

UPDATE settings SET version = '1.4', dbversion = 25 WHERE id = 1;
