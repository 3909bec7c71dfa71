-- SPDX-License-Identifier: MPL-2.0
-- Loaded after phpipam-1.8.2.sql (or after variant-1.4.0.sql): what Scanhub
-- must refuse with a clear sentence.  In phpIPAM 1.3.0 the name's column is
-- still dns_name, there is neither resolveDNS nor settings.dbversion, and
-- nothing knows of customers.

ALTER TABLE subnets
    DROP COLUMN IF EXISTS isPool,
    DROP COLUMN resolveDNS,
    DROP COLUMN customer_id,
    MODIFY pingSubnet     BOOL NULL DEFAULT 0,
    MODIFY discoverSubnet BINARY(1) NULL DEFAULT '0',
    MODIFY isFolder       BOOL NULL DEFAULT 0,
    MODIFY isFull         BOOL NULL DEFAULT 0;

ALTER TABLE ipaddresses
    CHANGE hostname dns_name VARCHAR(100) DEFAULT NULL,
    DROP COLUMN customer_id,
    MODIFY owner       VARCHAR(32) DEFAULT NULL,
    MODIFY excludePing BINARY(1) NULL DEFAULT '0';

ALTER TABLE settings
    DROP COLUMN dbversion;

UPDATE settings SET version = '1.3' WHERE id = 1;
