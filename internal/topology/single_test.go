//go:build topology

package topology

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

func TestUnixSocketWorksLikeAPort(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	d := deployment{fields: "url: unix://" + s.Socket(), topic: "orders", partitions: 4}
	crowd := newCrowd()
	crowd.join(t, "ann", d)
	require.NoError(t, startWriter(t, d).write(t.Context(), 1000))
	crowd.await(t, 1000)
	awaitLagZero(t, s.Client(t), d, 1000)
	assert.Zero(t, crowd.repeated())
}

func overTLS(s *redistest.TLSServer, url, more string) deployment {
	return deployment{fields: "url: " + url + "\ntls:\n  root_cas_file: " + s.CAFile + "\n" + more, topic: "orders", partitions: 4}
}

func clientCertificate(s *redistest.TLSServer) string {
	return fmt.Sprintf("  client_certs: [{cert_file: %s, key_file: %s}]\n", s.CertFile, s.KeyFile)
}

func TestTLSWorksWithAPrivateAuthorityAndAClientCertificate(t *testing.T) {
	t.Parallel()
	s := redistest.StartTLS(t)
	d := overTLS(s, s.URL(), clientCertificate(s))
	crowd := newCrowd()
	crowd.join(t, "ann", d)
	require.NoError(t, startWriter(t, d).write(t.Context(), 1000))
	crowd.await(t, 1000)
	awaitLagZero(t, s.Client(t), d, 1000)
	assert.Zero(t, crowd.repeated())
}

func TestTLSTroubleIsClear(t *testing.T) {
	t.Parallel()
	s := redistest.StartTLS(t)
	for name, trouble := range map[string]struct {
		d    deployment
		says string
	}{
		"another host":          {overTLS(s, s.WrongURL(), clientCertificate(s)), "put one of those into `url`"},
		"no client certificate": {overTLS(s, s.URL(), ""), "`tls.client_certs`"},
		"unknown authority":     {deployment{fields: "url: " + s.URL(), topic: "orders", partitions: 4}, "`tls.root_cas_file`"},
		"no TLS":                {deployment{fields: "url: redis://" + s.Addr(), topic: "orders", partitions: 4}, "rediss://"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, _ := newCrowd().join(t, "ann", trouble.d)
			for _, log := range []*journal{in, startWriter(t, trouble.d).log} {
				require.Eventually(t, func() bool { return len(log.Lines("Failed to connect")) > 0 }, 20*time.Second, 10*time.Millisecond)
				assert.Contains(t, log.Lines("Failed to connect")[0], trouble.says)
			}
		})
	}
}
