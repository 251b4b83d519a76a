package config

import "github.com/redpanda-data/benthos/v4/public/service"

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

const urlDescription = `Where Redis is. One of

- ` + "`redis://[user:password@]host[:port][/db]`" + `; ` + "`rediss://`" + ` is the same with TLS
- ` + "`unix:///path/to/redis.sock`" + `, with ` + "`?db=1`" + ` for a database number
- ` + "`embedded://name`" + `, a server inside this process that all inputs and outputs of that name share. It needs no installation and loses everything when the process ends

With ` + "`kind`" + ` cluster or failover it may be a comma-separated list of addresses, each with its scheme; failover takes the addresses of the sentinels. Credentials, the database number and options are given with the first address and hold for all of them, and the credentials are those of Redis, never of the sentinels. Special characters in a user name or password are percent-encoded (` + "`@` is `%40`" + `). ` + "`rafka echo` and `/debug/config`" + ` show no URL that holds a password; one that they could not recognise, as with white space around it or in a list of IPv6 addresses, is refused: give the password in the field ` + "`password`" + ` then.

Options follow a question mark: ` + "`redis://localhost:6379?pool_size=20&read_timeout=3s`" + `. They are those of go-redis, except for what rafka decides itself (retries, reading from replicas). A field wins over the same setting in the URL.`

// ConnectionFields are the fields that say how Redis is reached. The component's spec needs
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
			kindSimple:   "One server.",
			kindCluster:  "A Redis Cluster; `url` lists some of its nodes.",
			kindFailover: "A master watched by Redis Sentinel; `url` lists the sentinels and `master` names the master.",
		}).Description("What runs behind `url`.").Default(kindSimple).Advanced(),
		service.NewStringField(fieldMaster).
			Description(
				"The name under which the sentinels know the master. Required when `kind` is `failover`, senseless otherwise.",
			).
			Default("").Example("mymaster").Advanced(),
		service.NewStringField(fieldClientName).
			Description(
				"The name of the connections, as `CLIENT LIST` shows it. Defaults to `" + defaultClientName + "`. Servers that refuse it are used all the same; an empty string names nothing.",
			).
			Example("rafka").Optional().Advanced(),
	}
	return append(append(fields, credentialFields()...), tuningFields()...)
}

func credentialFields() []*service.ConfigField {
	return []*service.ConfigField{
		service.NewStringField(fieldUsername).
			Description("The ACL user to authenticate as. Wins over a user name in `url`.").Default("").Advanced(),
		secretField(fieldPassword).
			Description("The password to authenticate with. Wins over a password in `url`."),
		service.NewStringField(fieldSentinelUsername).
			Description(
				"The ACL user to authenticate as with the sentinels, when `kind` is `failover`.",
			).Default("").Advanced(),
		secretField(fieldSentinelPassword).
			Description("The password to authenticate with at the sentinels, when `kind` is `failover`."),
		service.NewTLSToggledField(fieldTLS).
			Description(
				"Custom TLS settings. A `rediss://` URL turns TLS on by itself and takes the other settings from here.",
			),
	}
}

// secretField is a field for a password. It is declared as one for anything: of one that is
// declared as a text, the linter's check sees a number as a text, while the engine can't hide a
// number and shows it in an error. See checkSecret.
func secretField(name string) *service.ConfigField {
	return service.NewAnyField(name).Default("").Secret().Advanced()
}

func tuningFields() []*service.ConfigField {
	return []*service.ConfigField{
		service.NewObjectField(fieldPool,
			service.NewIntField(fieldPoolSize).
				Description(
					"The most connections of each client to each node; requests wait for each other when there are fewer than they could use. 0 means as many as they could: an input has 2 for reads (on a cluster one more than there are partitions), of which one waits for entries, and 2 for everything else, an output has 4. More are never made. Hints of other members come over one more connection.",
				).
				Default(0),
			service.NewIntField(fieldPoolMinIdle).
				Description("Connections that are kept open although nothing uses them.").Default(0),
			service.NewDurationField(fieldPoolWait).
				Description(
					"How long to wait for a connection when all are in use. Defaults to one second more than `read_timeout`.",
				).
				Example("10s").Optional(),
		).Description("The pool of connections. An input has two clients, an output has one.").Advanced(),
		service.NewDurationField(fieldDialTimeout).
			Description("How long to wait for a new connection. Defaults to " + defaultDialTimeout.String() + ".").
			Example("5s").Optional().Advanced(),
		service.NewDurationField(fieldReadTimeout).
			Description(
				"How long to wait for a reply. The time that a read spends waiting for entries is not counted; commits and heartbeats wait half a heartbeat interval at most. A message that takes longer to arrive can't be read: on a slow network, raise it. Defaults to " + defaultReadTimeout.String() + ".",
			).
			Example("5s").Optional().Advanced(),
		service.NewDurationField(fieldWriteTimeout).
			Description(
				"How long to wait until a request is handed to the network. Defaults to " + defaultWriteTimeout.String() + ".",
			).
			Example("5s").Optional().Advanced(),
	}
}
