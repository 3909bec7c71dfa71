-- SPDX-License-Identifier: MPL-2.0
-- Loaded after phpipam-1.8.2.sql: the same tables as a new installation of
-- phpIPAM 1.6.0 has them.  isPool is there, flags are NOT NULL and all text is
-- four-byte UTF-8.  Of what a scan touches that is also how 1.8.2 has it; it is
-- said here so that it stays so whatever becomes of the other file.

ALTER TABLE scanAgents
    CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
ALTER TABLE subnets
    CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
ALTER TABLE ipaddresses
    CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;

ALTER TABLE subnets
    MODIFY pingSubnet     BOOL NOT NULL DEFAULT 0,
    MODIFY discoverSubnet BOOL NOT NULL DEFAULT 0,
    MODIFY resolveDNS     BOOL NOT NULL DEFAULT 0,
    MODIFY isFolder       BOOL NOT NULL DEFAULT 0,
    MODIFY isFull         BOOL NOT NULL DEFAULT 0,
    MODIFY isPool         BOOL NOT NULL DEFAULT 0;

ALTER TABLE ipaddresses
    MODIFY is_gateway  BOOL NOT NULL DEFAULT 0,
    MODIFY excludePing BOOL NOT NULL DEFAULT 0;

UPDATE settings SET version = '1.6', dbversion = 39 WHERE id = 1;
