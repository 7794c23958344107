-- The two logins of Insula: one that owns the tables, and one for the servers. For your own machine only.
CREATE ROLE insula_owner LOGIN CREATEROLE PASSWORD 'hunter2';
CREATE ROLE insula_login LOGIN NOINHERIT PASSWORD 'hunter2';
ALTER DATABASE insula OWNER TO insula_owner;
