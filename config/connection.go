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

// Connection is the parsed and checked configuration of a connection. It opens no connection, does
// not change, and can be used concurrently.
type Connection struct {
	kind string
	url  parsedURL
	// options are what every client starts from; a Role changes a copy.
	options redis.UniversalOptions
}

// Parse is ParseConnection for a component with further fields, which check checks: see
// [RegisterLint]. It also returns the fields that check received.
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

// ParseConnection reads and checks the fields of [ConnectionFields]. The error lists everything
// that is wrong, with the field and the remedy, and contains no password.
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
	// The linter does not check certificates: they can be files of another machine.
	custom, err := conf.FieldTLS(fieldTLS)
	if err != nil {
		return nil, fmt.Errorf("tls: %w: correct the certificates, keys or passwords of the field tls", err)
	}
	c.useTLS(custom, Fields(object).Object(fieldTLS).Bool("enabled"))
	return c, nil
}

// resolve returns the Connection that the fields describe, without TLS, and everything that is
// wrong with the fields. The Connection can be used only if nothing is wrong.
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

// overlay sets the options for which there are fields, and the defaults.
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
		p.Add(fieldUsername, "Redis clients send no user name without a password: set the field password")
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

// useTLS enables TLS if the URL or the field does. With a rediss:// URL, the other TLS settings
// still come from the field.
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

// ReadTimeout returns how long a client waits for a reply, unless its role waits less.
func (c *Connection) ReadTimeout() time.Duration { return c.options.ReadTimeout }

// Embedded reports whether the server runs inside this process.
func (c *Connection) Embedded() bool { return c.url.scheme == schemeEmbedded }

// String returns the addresses and the kind, without credentials.
func (c Connection) String() string {
	return fmt.Sprintf("%s://%s (%s)", c.url.scheme, strings.Join(c.url.addrs, ","), c.kind)
}

// GoString returns what String returns, so that %#v shows no credentials either.
func (c Connection) GoString() string { return c.String() }
