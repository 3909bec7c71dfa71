-- SPDX-License-Identifier: MPL-2.0
-- Loaded after phpipam-1.8.2.sql: an administrator has added a field of their
-- own that must be given and has no default.  A plain INSERT that does not
-- know it is error 1364.

ALTER TABLE ipaddresses
    ADD COLUMN custom_ticket VARCHAR(32) NOT NULL;
