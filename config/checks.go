package config

import "time"

// checkKind is stricter than the linter's own check of the choices, which overlooks letter case.
func checkKind(s settings, p *Problems) bool {
	switch s.kind {
	case kindSimple, kindCluster, kindFailover:
		return true
	}
	p.Add(fieldKind, "%q is not supported: use simple, cluster or failover, in lower case", s.kind)
	return false
}

// checkFit refuses what is right by itself and makes no sense together.
func checkFit(s settings, t target, p *Problems) {
	local := t.scheme == schemeUnix || t.scheme == schemeEmbedded
	switch {
	case local && s.kind != kindSimple:
		p.Add(fieldKind, "%s does not fit %s:// addresses: use kind simple, or redis:// addresses", s.kind, t.scheme)
	case s.kind == kindSimple && len(t.addrs) > 1:
		p.Add(
			fieldURL,
			"a list of addresses does not fit kind simple: set kind to cluster or failover, or keep one address",
		)
	case s.kind == kindCluster && (t.db != 0 || t.options.Has("db")):
		p.Add(fieldURL, "a cluster has no database numbers: remove the number behind the host, or the option db")
	}
	if local && s.tls {
		p.Add(fieldTLS, "%s:// addresses have no TLS: remove tls.enabled", t.scheme)
	}
	if t.scheme == schemeEmbedded && (s.username != "" || s.password != "") {
		p.Add(fieldPassword, "the embedded server knows no passwords: remove username and password")
	}
	checkFailoverFields(s, t, p)
	if name := t.options.Get(fieldClientName); s.clientName == nil {
		checkClientName(fieldURL, name, p)
	}
}

func checkFailoverFields(s settings, t target, p *Problems) {
	if s.kind == kindFailover {
		if s.master == "" && t.options.Get("master_name") == "" {
			p.Add(
				fieldMaster,
				"is empty, but kind is failover: set it to the name under which the sentinels know the master",
			)
		}
		if s.sentinelUsername != "" && s.sentinelPassword == "" {
			p.Add(
				fieldSentinelUsername,
				"a user name without a password is never sent: set the field sentinel_password",
			)
		}
		return
	}
	for _, f := range []struct{ name, value string }{
		{fieldMaster, s.master}, {fieldSentinelUsername, s.sentinelUsername}, {fieldSentinelPassword, s.sentinelPassword},
	} {
		if f.value != "" {
			p.Add(f.name, "is for kind failover, but kind is %s: remove it, or set kind to failover", s.kind)
		}
	}
}

// checkURLOptions holds the options of the URL to what the fields are held to. go-redis reads a
// duration of zero or less as "none".
func checkURLOptions(t tuning, p *Problems) {
	for _, o := range []struct {
		name  string
		value time.Duration
	}{{"dial_timeout", *t.dial}, {"read_timeout", *t.read}, {"write_timeout", *t.write}, {"pool_timeout", *t.wait}} {
		if o.value < 0 {
			p.Add(fieldURL, "the option %s must be greater than zero: use a duration such as 5s", o.name)
		}
		p.AddShort(fieldURL+": the option "+o.name, o.value, leastTimeout)
	}
	checkPoolNumber(fieldURL, "the option pool_size ", *t.poolSize, p)
	checkPoolNumber(fieldURL, "the option min_idle_conns ", *t.minIdle, p)
	if protocol := *t.protocol; protocol != 0 && protocol != 2 && protocol != 3 {
		p.Add(fieldURL, "the option protocol must be 2 or 3")
	}
}
