package config

import (
	"time"

	"github.com/redis/go-redis/v9"
)

// checkKind is stricter than the linter's own check of the choices, which ignores letter case.
func checkKind(s settings, p *Problems) bool {
	switch s.kind {
	case kindSimple, kindCluster, kindFailover:
		return true
	}
	p.Add(fieldKind, "%q is not supported: use simple, cluster or failover, in lower case", s.kind)
	return false
}

// checkCombination rejects values that are valid alone but not together.
func checkCombination(s settings, u parsedURL, p *Problems) {
	local := u.scheme == schemeUnix || u.scheme == schemeEmbedded
	switch {
	case local && s.kind != kindSimple:
		p.Add(fieldKind, "%s does not fit %s:// addresses: use kind simple, or redis:// addresses", s.kind, u.scheme)
	case s.kind == kindSimple && len(u.addrs) > 1:
		p.Add(
			fieldURL,
			"a list of addresses does not fit kind simple: set kind to cluster or failover, or keep one address",
		)
	case s.kind == kindCluster && (u.db != 0 || u.options.Has("db")):
		p.Add(fieldURL, "a cluster has no database numbers: remove the number after the host, or the option db")
	}
	if local && s.tls {
		p.Add(fieldTLS, "%s:// addresses have no TLS: remove tls.enabled", u.scheme)
	}
	if u.scheme == schemeEmbedded && (s.username != "" || s.password != "") {
		p.Add(fieldPassword, "the embedded server has no passwords: remove username and password")
	}
	checkFailoverFields(s, u, p)
	if name := u.options.Get(fieldClientName); s.clientName == nil {
		checkClientName(fieldURL, name, p)
	}
}

func checkFailoverFields(s settings, u parsedURL, p *Problems) {
	if s.kind == kindFailover {
		if s.master == "" && u.options.Get("master_name") == "" {
			p.Add(
				fieldMaster,
				"is empty, but kind is failover: set it to the name that the Sentinels have for the master",
			)
		}
		if s.sentinelUsername != "" && s.sentinelPassword == "" {
			p.Add(
				fieldSentinelUsername,
				"Redis clients send no user name without a password: set the field sentinel_password",
			)
		}
		return
	}
	for _, f := range []struct{ name, value string }{
		{fieldMaster, s.master},
		{fieldSentinelUsername, s.sentinelUsername},
		{fieldSentinelPassword, s.sentinelPassword},
	} {
		if f.value != "" {
			p.Add(f.name, "applies to kind failover only, but kind is %s: remove it, or set kind to failover", s.kind)
		}
	}
}

// checkURLOptions applies the checks of the fields to the options of the URL. For go-redis, a
// duration of zero or less means no timeout.
func checkURLOptions(o *redis.UniversalOptions, p *Problems) {
	for _, option := range []struct {
		name  string
		value time.Duration
	}{
		{"dial_timeout", o.DialTimeout},
		{"read_timeout", o.ReadTimeout},
		{"write_timeout", o.WriteTimeout},
		{"pool_timeout", o.PoolTimeout},
	} {
		if option.value < 0 {
			p.Add(fieldURL, "the option %s must be greater than zero: use a duration such as 5s", option.name)
		}
		p.AddShort(fieldURL+": the option "+option.name, option.value, leastTimeout)
	}
	checkPoolNumber(fieldURL, "the option pool_size ", o.PoolSize, p)
	checkPoolNumber(fieldURL, "the option min_idle_conns ", o.MinIdleConns, p)
	if protocol := o.Protocol; protocol != 0 && protocol != 2 && protocol != 3 {
		p.Add(fieldURL, "the option protocol must be 2 or 3")
	}
}
