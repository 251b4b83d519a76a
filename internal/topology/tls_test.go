package topology

import (
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// trusting are the fields of a connection that trusts the authority, and those of tls that follow.
func trusting(c *redistest.Certificates, more string) string {
	return "tls:\n  root_cas_file: " + c.CAFile + "\n" + more
}

// identified is a client certificate, as a field of tls.
func identified(c *redistest.Certificates) string {
	return fmt.Sprintf("  client_certs: [{cert_file: %s, key_file: %s}]\n", c.CertFile, c.KeyFile)
}

func TestTLSWithAPrivateAuthorityAndAClientCertificate(t *testing.T) {
	t.Parallel()
	certificates := redistest.NewCertificates(t)
	tls := trusting(certificates, identified(certificates))
	for name, start := range map[string]func(t *testing.T) (deployment, redis.UniversalClient){
		"single": func(t *testing.T) (deployment, redis.UniversalClient) {
			s := redistest.StartTLS(t)
			return deployment{fields: "url: " + s.URL() + "\n" + trusting(s.Certificates, identified(s.Certificates))}, s.Client(t)
		},
		"cluster": func(t *testing.T) (deployment, redis.UniversalClient) {
			c := redistest.StartTLSCluster(t, 3, 0, certificates)
			return onCluster(c, "", 0).with(tls), c.Client(t)
		},
		"sentinel": func(t *testing.T) (deployment, redis.UniversalClient) {
			s := redistest.StartSentinel(t, redistest.SentinelOptions{TLS: certificates, DownAfter: noneDies})
			return onSentinel(s, tls), s.Client(t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, client := start(t)
			d.topic, d.partitions = "orders", 4
			crowd := newCrowd()
			crowd.join(t, "ann", d)
			require.NoError(t, startWriter(t, d).write(t.Context(), 1000))
			crowd.await(t, 1000)
			awaitLagZero(t, client, d, 1000)
			assert.Zero(t, crowd.repeated())
		})
	}
}

func TestTLSTroubleIsClear(t *testing.T) {
	t.Parallel()
	s, expired, plain := redistest.StartTLS(t), redistest.StartExpiredTLS(t), redistest.Start(t)
	certificate := identified(s.Certificates)
	for name, trouble := range map[string]struct{ fields, says string }{
		"another host":          {"url: " + s.WrongURL() + "\n" + trusting(s.Certificates, certificate), "put one of those into `url`"},
		"no client certificate": {"url: " + s.URL() + "\n" + trusting(s.Certificates, ""), "`tls.client_certs`"},
		"unknown authority":     {"url: " + s.URL() + "\n" + trusting(expired.Certificates, certificate), "`tls.root_cas_file`"},
		"expired":               {"url: " + expired.URL() + "\n" + trusting(expired.Certificates, identified(expired.Certificates)), "expired"},
		"no TLS in the url":     {"url: redis://" + s.Addr() + "\n", "rediss://"},
		"no TLS at the server":  {"url: rediss://" + plain.Addr() + "\n", "does not speak TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			failsToConnect(t, deployment{fields: trouble.fields, topic: "orders", partitions: 4}, trouble.says)
		})
	}
}

func TestCertificatesNeedNotBeVerified(t *testing.T) {
	t.Parallel()
	s := redistest.StartTLS(t, "--tls-auth-clients", "no")
	d := deployment{
		fields:     "url: " + s.WrongURL() + "\ntls:\n  skip_cert_verify: true\n",
		topic:      "orders",
		partitions: 4,
	}
	crowd := newCrowd()
	crowd.join(t, "ann", d)
	require.NoError(t, startWriter(t, d).write(t.Context(), 200))
	crowd.await(t, 200)
}
