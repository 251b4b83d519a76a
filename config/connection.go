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
	kind string
	url  parsedURL
	// options are what every client starts from; a Role changes a copy.
	options redis.UniversalOptions
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
	parsed, urlValid := parseURL(s.url, &p)
	if !kindKnown || !urlValid {
		return nil, p
	}
	before := len(p)
	checkCombination(s, parsed, &p)
	if len(p) > before {
		return nil, p
	}
	options, err := parsed.clientOptions(s.kind)
	if err != nil {
		p.AddErr(err)
		return nil, p
	}
	c.url, c.options = parsed, options
	c.overlay(s, &p)
	return c, p
}

// overlay puts the fields over what the URL said.
func (c *Connection) overlay(s settings, p *Problems) {
	o := &c.options
	checkURLOptions(o, p)
	if user := c.url.user; user != nil {
		o.Username = user.Username()
		o.Password, _ = user.Password()
	}
	o.Username = cmp.Or(s.username, o.Username)
	o.Password = cmp.Or(s.password, o.Password)
	if o.Username != "" && o.Password == "" {
		p.Add(fieldUsername, "a user name without a password is never sent: set the field password")
	}
	switch {
	case s.clientName != nil:
		o.ClientName = *s.clientName
	case !c.url.options.Has(fieldClientName):
		o.ClientName = defaultClientName
	}
	o.PoolSize = cmp.Or(s.poolSize, o.PoolSize)
	o.MinIdleConns = cmp.Or(s.minIdle, o.MinIdleConns)
	o.PoolTimeout = cmp.Or(s.wait, o.PoolTimeout)
	o.DialTimeout = cmp.Or(s.dialTimeout, o.DialTimeout, defaultDialTimeout)
	o.ReadTimeout = cmp.Or(s.readTimeout, o.ReadTimeout, defaultReadTimeout)
	o.WriteTimeout = cmp.Or(s.write, o.WriteTimeout, defaultWriteTimeout)
	if c.kind == kindFailover {
		o.MasterName = cmp.Or(s.master, o.MasterName)
		o.SentinelUsername, o.SentinelPassword = s.sentinelUsername, s.sentinelPassword
	}
}

// useTLS turns TLS on if the URL or the field says so. A rediss:// URL takes what else there is
// from the field.
func (c *Connection) useTLS(custom *tls.Config, enabled bool) {
	fromURL := c.options.TLSConfig
	if fromURL == nil && !enabled {
		return
	}
	if custom == nil {
		custom = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	custom.ServerName = cmp.Or(custom.ServerName, c.url.serverName)
	if fromURL != nil && fromURL.InsecureSkipVerify {
		custom.InsecureSkipVerify = true
	}
	c.options.TLSConfig = custom
}

// ReadTimeout is how long a client waits for an answer, unless its role waits less.
func (c *Connection) ReadTimeout() time.Duration { return c.options.ReadTimeout }

// Embedded reports whether the server is the one inside this process.
func (c *Connection) Embedded() bool { return c.url.scheme == schemeEmbedded }

// String names the addresses and the kind, and no credentials.
func (c Connection) String() string {
	return fmt.Sprintf("%s://%s (%s)", c.url.scheme, strings.Join(c.url.addrs, ","), c.kind)
}

// GoString is String, so that %#v shows no credentials either.
func (c Connection) GoString() string { return c.String() }
