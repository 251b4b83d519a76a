package config

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
)

const (
	kindSimple   = "simple"
	kindCluster  = "cluster"
	kindFailover = "failover"
)

// Connection says how Redis is reached: parsed, checked, and nothing opened yet. It does not change
// and may be used concurrently.
type Connection struct {
	kind   string
	target target

	// One of these is set, by kind. They are what every client starts from; a Role changes a copy.
	simple   *redis.Options
	cluster  *redis.ClusterOptions
	failover *redis.FailoverOptions
}

// Parse is ParseConnection for a component that has fields of its own, which check finds wrong or
// not: see [RegisterLint]. It also returns all fields as check saw them.
func Parse(conf *service.ParsedConfig, check func(Fields) []string) (*Connection, Fields, error) {
	connection, err := ParseConnection(conf)
	if err != nil {
		return nil, nil, err
	}
	object, err := conf.FieldAny()
	if err != nil {
		return nil, nil, err
	}
	fields, _ := object.(map[string]any)
	return connection, fields, Problems(check(fields)).Err()
}

// ParseConnection reads and checks the fields of [ConnectionFields]. The error holds everything
// that is wrong, names the fields and the remedies, and no password.
func ParseConnection(conf *service.ParsedConfig) (*Connection, error) {
	root, err := conf.FieldAny()
	if err != nil {
		return nil, err
	}
	object, ok := root.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("expected an object of fields, got %T", root)
	}
	c, found := resolve(object)
	if err := found.Err(); err != nil {
		return nil, err
	}
	// Certificates are files as often as not, so this alone is left to the constructor.
	custom, err := conf.FieldTLS(fieldTLS)
	if err != nil {
		return nil, fmt.Errorf("tls: %w: correct the certificates, keys or passwords named there", err)
	}
	c.useTLS(custom, Fields(object).Object(fieldTLS).Bool("enabled"))
	return c, nil
}

// resolve makes a Connection, TLS aside, of the fields, and says everything that is wrong with
// them. The Connection is of use only if nothing is.
func resolve(f Fields) (*Connection, Problems) {
	var p Problems
	s := readSettings(f, &p)
	c := &Connection{kind: s.kind}
	kindKnown := checkKind(s, &p)
	t, targetKnown := parseTarget(s.url, &p)
	if !kindKnown || !targetKnown {
		return nil, p
	}
	c.target = t
	before := len(p)
	checkFit(s, t, &p)
	if len(p) > before {
		return nil, p
	}
	if err := c.parseOptions(t); err != nil {
		p.AddErr(err)
		return nil, p
	}
	c.overlay(s, &p)
	return c, p
}

// overlay puts the fields over what the URL said.
func (c *Connection) overlay(s settings, p *Problems) {
	tune := c.tuning()
	checkURLOptions(tune, p)
	if user := c.target.user; user != nil {
		*tune.username = user.Username()
		*tune.password, _ = user.Password()
	}
	*tune.username = cmp.Or(s.username, *tune.username)
	*tune.password = cmp.Or(s.password, *tune.password)
	if *tune.username != "" && *tune.password == "" {
		p.Add(fieldUsername, "a user name without a password is never sent: set the field password")
	}
	switch {
	case s.clientName != nil:
		*tune.clientName = *s.clientName
	case !c.target.options.Has(fieldClientName):
		*tune.clientName = defaultClientName
	}
	*tune.poolSize = cmp.Or(s.poolSize, *tune.poolSize)
	*tune.minIdle = cmp.Or(s.minIdle, *tune.minIdle)
	*tune.wait = cmp.Or(s.wait, *tune.wait)
	*tune.dial = cmp.Or(s.dialTimeout, *tune.dial, defaultDialTimeout)
	*tune.read = cmp.Or(s.readTimeout, *tune.read, defaultReadTimeout)
	*tune.write = cmp.Or(s.write, *tune.write, defaultWriteTimeout)
	if c.failover != nil {
		c.failover.MasterName = cmp.Or(s.master, c.failover.MasterName)
		c.failover.SentinelUsername, c.failover.SentinelPassword = s.sentinelUsername, s.sentinelPassword
	}
}

// tuning points into the options of the connection's kind.
func (c *Connection) tuning() tuning {
	switch {
	case c.cluster != nil:
		return tuneCluster(c.cluster)
	case c.failover != nil:
		return tuneFailover(c.failover)
	default:
		return tuneSimple(c.simple)
	}
}

// useTLS turns TLS on if the URL or the field says so. A rediss:// URL takes what else there is
// from the field.
func (c *Connection) useTLS(custom *tls.Config, enabled bool) {
	fromURL := *c.tlsOfOptions()
	if fromURL == nil && !enabled {
		return
	}
	if custom == nil {
		custom = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	custom.ServerName = cmp.Or(custom.ServerName, c.target.serverName)
	if fromURL != nil && fromURL.InsecureSkipVerify {
		custom.InsecureSkipVerify = true
	}
	*c.tlsOfOptions() = custom
}

func (c *Connection) tlsOfOptions() **tls.Config {
	switch {
	case c.cluster != nil:
		return &c.cluster.TLSConfig
	case c.failover != nil:
		return &c.failover.TLSConfig
	default:
		return &c.simple.TLSConfig
	}
}

// ReadTimeout is how long a client waits for an answer, unless its role waits less.
func (c *Connection) ReadTimeout() time.Duration { return *c.tuning().read }

// Embedded reports whether the server is the one inside this process.
func (c *Connection) Embedded() bool { return c.target.scheme == schemeEmbedded }

// String names the addresses and the kind, and no credentials.
func (c Connection) String() string {
	return fmt.Sprintf("%s://%s (%s)", c.target.scheme, strings.Join(c.target.addrs, ","), c.kind)
}

// GoString is String, so that %#v shows no credentials either.
func (c Connection) GoString() string { return c.String() }
