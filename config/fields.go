package config

import (
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// Names of the connection's fields.
const (
	fieldURL              = "url"
	fieldKind             = "kind"
	fieldMaster           = "master"
	fieldClientName       = "client_name"
	fieldUsername         = "username"
	fieldPassword         = "password"
	fieldSentinelUsername = "sentinel_username"
	fieldSentinelPassword = "sentinel_password"
	fieldTLS              = "tls"
	fieldPool             = "pool"
	fieldPoolSize         = "size"
	fieldPoolMinIdle      = "min_idle"
	fieldPoolWait         = "wait_timeout"
	fieldDialTimeout      = "dial_timeout"
	fieldReadTimeout      = "read_timeout"
	fieldWriteTimeout     = "write_timeout"
)

// urlDescription has ~ where the documentation has backquotes.
var urlDescription = strings.ReplaceAll(`The address of Redis. One of

- ~redis://[user:password@]host[:port][/db]~; ~rediss://~ is the same with TLS
- ~unix:///path/to/redis.sock~, with ~?db=1~ for a database number
- ~embedded://name~, a server inside this process, shared by all inputs and outputs with that name.
It needs no installation and loses everything when the process ends

With ~kind~ cluster or failover it can be a comma-separated list of addresses, each with its scheme;
for failover these are the addresses of the Sentinels. Credentials, the database number and options
are given with the first address and apply to all of them. The credentials are those of Redis, never
those of the Sentinels. Special characters in a user name or password are percent-encoded (~@~ is
~%40~). ~rafka echo~ and ~/debug/config~ hide passwords in URLs. A URL whose password they would show,
such as one with white space around it or in a list of IPv6 addresses, is rejected: set the field
~password~ instead.

Options follow a question mark: ~redis://localhost:6379?pool_size=20&read_timeout=3s~. They are the
options of go-redis, except those that rafka decides itself (retries, reading from replicas). A field
overrides the same setting in the URL.`, "~", "`")

// ConnectionFields returns the fields of the connection. The component's spec needs
// [ConnectionLintRule] as well, and its constructor calls [ParseConnection].
func ConnectionFields() []*service.ConfigField {
	fields := []*service.ConfigField{
		service.NewURLField(fieldURL).Description(urlDescription).
			Example("redis://localhost:6379").
			Example("rediss://user:password@redis.example.com:6380/1").
			Example("redis://node-1:6379,redis://node-2:6379").
			Example("unix:///var/run/redis/redis.sock").
			Example("embedded://demo"),
		service.NewStringAnnotatedEnumField(fieldKind, map[string]string{
			kindSimple:  "One server.",
			kindCluster: "A Redis Cluster; `url` lists some of its nodes.",
			kindFailover: "A master monitored by Redis Sentinel; `url` lists the Sentinels and `master` names the " +
				"master.",
		}).Description("The kind of deployment behind `url`.").Default(kindSimple).Advanced(),
		service.NewStringField(fieldMaster).
			Description("The name that the Sentinels have for the master. Required when `kind` is `failover`, and " +
				"not allowed otherwise.").
			Default("").Example("mymaster").Advanced(),
		service.NewStringField(fieldClientName).
			Description("The name of the connections in `CLIENT LIST`. Defaults to `" + defaultClientName +
				"`. Servers that reject names can be used too; an empty string sets no name.").
			Example("rafka").Optional().Advanced(),
	}
	return append(append(fields, credentialFields()...), tuningFields()...)
}

func credentialFields() []*service.ConfigField {
	return []*service.ConfigField{
		service.NewStringField(fieldUsername).
			Description("The ACL user to authenticate as. Overrides a user name in `url`.").Default("").Advanced(),
		secretField(fieldPassword).
			Description("The password to authenticate with. Overrides a password in `url`."),
		service.NewStringField(fieldSentinelUsername).
			Description("The ACL user to authenticate as with the Sentinels, when `kind` is `failover`.").
			Default("").Advanced(),
		secretField(fieldSentinelPassword).
			Description("The password to authenticate with at the Sentinels, when `kind` is `failover`."),
		service.NewTLSToggledField(fieldTLS).
			Description("Custom TLS settings. A `rediss://` URL enables TLS without `enabled` and uses the other " +
				"settings from here."),
	}
}

// secretField returns a field for a password. It is declared with any type: for a string field the
// linter's check would receive a number as a string, while the engine can't hide a number and shows
// it in errors. See checkSecret.
func secretField(name string) *service.ConfigField {
	return service.NewAnyField(name).Default("").Secret().Advanced()
}

func tuningFields() []*service.ConfigField {
	return []*service.ConfigField{
		poolField(),
		service.NewDurationField(fieldDialTimeout).
			Description("How long to wait for a new connection. Defaults to " + defaultDialTimeout.String() + ".").
			Example("5s").Optional().Advanced(),
		service.NewDurationField(fieldReadTimeout).
			Description("How long to wait for a reply. The time that a read waits for entries is not counted. " +
				"Commits and heartbeats wait at most half a heartbeat interval. A message that takes longer to " +
				"arrive can't be read: on a slow network, raise this. Defaults to " +
				defaultReadTimeout.String() + ".").
			Example("5s").Optional().Advanced(),
		service.NewDurationField(fieldWriteTimeout).
			Description("How long to wait until the network accepts a request. Defaults to " +
				defaultWriteTimeout.String() + ".").
			Example("5s").Optional().Advanced(),
	}
}

func poolField() *service.ConfigField {
	return service.NewObjectField(fieldPool,
		service.NewIntField(fieldPoolSize).
			Description("The most connections of each client to each node. With fewer connections than a client can "+
				"use, its requests wait for each other. 0 means as many as a client can use: an input uses 2 for "+
				"reads (on a cluster one more than there are partitions), one of which waits for entries, and 2 for "+
				"everything else; an output uses 4. A larger number has no effect. Notifications between members "+
				"need one more connection.").
			Default(0),
		service.NewIntField(fieldPoolMinIdle).
			Description("The number of idle connections that are kept open.").Default(0),
		service.NewDurationField(fieldPoolWait).
			Description("How long to wait for a connection when all are in use. Defaults to one second more than "+
				"`read_timeout`.").
			Example("10s").Optional(),
	).Description("The pool of connections. An input has two clients, an output has one.").Advanced()
}
