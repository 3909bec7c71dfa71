-- SPDX-License-Identifier: MPL-2.0
-- Loaded after phpipam-1.8.2.sql: an installation that began before 1.6 and
-- was upgraded ever since.  Its tables still hold three-byte UTF-8 only; a
-- character of four bytes is error 1366.

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
