-- SPDX-License-Identifier: MPL-2.0
-- The tables of phpIPAM 1.8.2 that Scanhub reads or writes, described anew
-- from what is known of their columns, types, defaults and keys.  It is no
-- complete phpIPAM: tables and columns that no scan ever touches are left out,
-- and so are the foreign keys to them.
--
--     mariadb --no-defaults DATABASE < phpipam-1.8.2.sql
--
-- The variant-*.sql files change these tables afterwards.

SET NAMES utf8mb4;

CREATE TABLE scanAgents (
    id          INT(11) UNSIGNED NOT NULL AUTO_INCREMENT,
    name        VARCHAR(128) DEFAULT NULL,
    description TEXT DEFAULT NULL,
    type        SET('direct', 'api', 'mysql') NOT NULL DEFAULT '',
    code        VARCHAR(32) DEFAULT NULL,
    last_access DATETIME DEFAULT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY code (code)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;

-- 'subnet' is the network as a decimal number in text, 'mask' its prefix
-- length in text; a folder has '0' or NULL and ''.
CREATE TABLE subnets (
    id             INT(11) NOT NULL AUTO_INCREMENT,
    description    TEXT DEFAULT NULL,
    subnet         VARCHAR(255) DEFAULT NULL,
    mask           VARCHAR(3) DEFAULT NULL,
    sectionId      INT(11) UNSIGNED DEFAULT NULL,
    vrfId          INT(11) UNSIGNED DEFAULT NULL,
    masterSubnetId INT(11) UNSIGNED NOT NULL DEFAULT 0,
    vlanId         INT(11) UNSIGNED DEFAULT NULL,
    device         INT(10) UNSIGNED DEFAULT 0,
    location       INT(11) UNSIGNED DEFAULT NULL,
    customer_id    INT(11) UNSIGNED DEFAULT NULL,
    pingSubnet     BOOL NOT NULL DEFAULT 0,
    discoverSubnet BOOL NOT NULL DEFAULT 0,
    resolveDNS     BOOL NOT NULL DEFAULT 0,
    DNSrecursive   BOOL NOT NULL DEFAULT 0,
    DNSrecords     BOOL NOT NULL DEFAULT 0,
    nameserverId   INT(11) DEFAULT 0,
    scanAgent      INT(11) DEFAULT NULL,
    isFolder       BOOL NOT NULL DEFAULT 0,
    isFull         BOOL NOT NULL DEFAULT 0,
    isPool         BOOL NOT NULL DEFAULT 0,
    state          INT(3) DEFAULT 2,
    threshold      INT(3) DEFAULT 0,
    editDate       TIMESTAMP NULL DEFAULT NULL ON UPDATE CURRENT_TIMESTAMP,
    lastScan       TIMESTAMP NULL DEFAULT NULL,
    lastDiscovery  TIMESTAMP NULL DEFAULT NULL,
    PRIMARY KEY (id),
    KEY masterSubnetId (masterSubnetId),
    KEY location (location),
    KEY sectionId (sectionId),
    KEY vrfId (vrfId)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;

CREATE TABLE ipaddresses (
    id                    INT(11) NOT NULL AUTO_INCREMENT,
    subnetId              INT(11) UNSIGNED DEFAULT NULL,
    ip_addr               VARCHAR(100) NOT NULL,
    is_gateway            BOOL NOT NULL DEFAULT 0,
    description           VARCHAR(64) DEFAULT NULL,
    hostname              VARCHAR(255) DEFAULT NULL,
    mac                   VARCHAR(20) DEFAULT NULL,
    owner                 VARCHAR(128) DEFAULT NULL,
    state                 INT(3) DEFAULT 2,
    switch                INT(11) UNSIGNED DEFAULT NULL,
    location              INT(11) UNSIGNED DEFAULT NULL,
    port                  VARCHAR(32) DEFAULT NULL,
    note                  TEXT DEFAULT NULL,
    lastSeen              DATETIME DEFAULT '1970-01-01 00:00:01',
    excludePing           BOOL NOT NULL DEFAULT 0,
    PTRignore             BOOL NOT NULL DEFAULT 0,
    PTR                   INT(11) UNSIGNED DEFAULT 0,
    firewallAddressObject VARCHAR(100) DEFAULT NULL,
    editDate              TIMESTAMP NULL DEFAULT NULL
                              ON UPDATE CURRENT_TIMESTAMP,
    customer_id           INT(11) UNSIGNED DEFAULT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY sid_ip_unique (ip_addr, subnetId),
    KEY subnetid (subnetId)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;

CREATE TABLE ipTags (
    id        INT(11) UNSIGNED NOT NULL AUTO_INCREMENT,
    type      VARCHAR(32) DEFAULT NULL,
    locked    SET('No', 'Yes') NOT NULL DEFAULT 'No',
    updateTag TINYINT(1) DEFAULT 0,
    PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;

CREATE TABLE settings (
    id                INT(11) UNSIGNED NOT NULL AUTO_INCREMENT,
    version           VARCHAR(5) DEFAULT NULL,
    dbversion         INT(8) NOT NULL DEFAULT 0,
    pingStatus        VARCHAR(32) NOT NULL DEFAULT '1800;3600',
    updateTags        TINYINT(1) DEFAULT 0,
    enableChangelog   TINYINT(1) NOT NULL DEFAULT 1,
    enableVRF         TINYINT(1) DEFAULT 1,
    enableDNSresolving TINYINT(1) DEFAULT NULL,
    log               ENUM('Database', 'syslog', 'both')
                          NOT NULL DEFAULT 'Database',
    maintaneanceMode  TINYINT(1) DEFAULT 0,
    scanPingType      ENUM('none', 'ping', 'pear', 'fping')
                          NOT NULL DEFAULT 'ping',
    link_field        VARCHAR(32) DEFAULT '0',
    IPrequired        VARCHAR(128) DEFAULT NULL,
    PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;

-- 'namesrv1' holds all servers of a set, with semicolons between them;
-- 'permissions' the sections that may use it, likewise.
CREATE TABLE nameservers (
    id          INT(11) UNSIGNED NOT NULL AUTO_INCREMENT,
    name        VARCHAR(255) NOT NULL,
    namesrv1    VARCHAR(255) DEFAULT NULL,
    description TEXT DEFAULT NULL,
    permissions VARCHAR(128) DEFAULT NULL,
    editDate    TIMESTAMP NULL DEFAULT NULL ON UPDATE CURRENT_TIMESTAMP,
    PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;

-- The primary key really is the name.
CREATE TABLE sections (
    id            INT(11) UNSIGNED NOT NULL AUTO_INCREMENT,
    name          VARCHAR(128) NOT NULL DEFAULT '',
    description   TEXT DEFAULT NULL,
    masterSection INT(11) DEFAULT 0,
    permissions   VARCHAR(1024) DEFAULT NULL,
    strictMode    BOOL NOT NULL DEFAULT 1,
    showSubnet    BOOL NOT NULL DEFAULT 1,
    editDate      TIMESTAMP NULL DEFAULT NULL ON UPDATE CURRENT_TIMESTAMP,
    PRIMARY KEY (name),
    UNIQUE KEY id (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;

CREATE TABLE vrf (
    vrfId       INT(11) UNSIGNED NOT NULL AUTO_INCREMENT,
    name        VARCHAR(32) NOT NULL DEFAULT '',
    rd          VARCHAR(32) DEFAULT NULL,
    description VARCHAR(256) DEFAULT NULL,
    sections    VARCHAR(128) DEFAULT NULL,
    editDate    TIMESTAMP NULL DEFAULT NULL ON UPDATE CURRENT_TIMESTAMP,
    PRIMARY KEY (vrfId)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;

-- 'date' is text, unlike every other time in here.
CREATE TABLE logs (
    id       INT(11) UNSIGNED NOT NULL AUTO_INCREMENT,
    severity INT(11) DEFAULT NULL,
    date     VARCHAR(32) DEFAULT NULL,
    username VARCHAR(255) DEFAULT NULL,
    ipaddr   VARCHAR(64) DEFAULT NULL,
    command  TEXT DEFAULT NULL,
    details  TEXT DEFAULT NULL,
    PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;

CREATE TABLE changelog (
    cid     INT(11) UNSIGNED NOT NULL AUTO_INCREMENT,
    ctype   SET('ip_addr', 'subnet', 'section') NOT NULL DEFAULT '',
    coid    INT(11) UNSIGNED NOT NULL,
    cuser   INT(11) UNSIGNED NOT NULL,
    caction ENUM('add', 'edit', 'delete', 'truncate', 'resize', 'perm_change')
                NOT NULL DEFAULT 'edit',
    cresult ENUM('error', 'success') NOT NULL,
    cdate   DATETIME NOT NULL,
    cdiff   TEXT DEFAULT NULL,
    PRIMARY KEY (cid),
    KEY coid (coid),
    KEY ctype (ctype)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_unicode_ci;

-- The rows that a new installation has.

INSERT INTO scanAgents (id, name, description, type, code)
VALUES (1, 'localhost', 'The machine that phpIPAM runs on', 'direct', NULL);

INSERT INTO ipTags (id, type, locked, updateTag)
VALUES (1, 'Offline', 'Yes', 1),
       (2, 'Used', 'Yes', 1),
       (3, 'Reserved', 'Yes', 1),
       (4, 'DHCP', 'Yes', 1);

INSERT INTO settings (id, version, dbversion)
VALUES (1, '1.82', 46);

INSERT INTO sections (id, name, description)
VALUES (1, 'Customers', 'A first section');
