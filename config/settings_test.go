package config

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSizesAndDurations(t *testing.T) {
	for _, test := range []struct {
		yaml     string
		size     int64
		duration time.Duration
		want     string
	}{
		{yaml: "buffer_bytes: 1MB", size: 1_000_000, duration: time.Second},
		{yaml: "buffer_bytes: 512KiB\nperiod: 1m30s", size: 524288, duration: 90 * time.Second},
		{yaml: "buffer_bytes: 65536", size: 65536, duration: time.Second},
		{yaml: "buffer_bytes: 0", want: `buffer_bytes: must be greater than zero, and is "0"`},
		{yaml: "buffer_bytes: -1", want: `buffer_bytes: "-1" is not a size: use a number of bytes`},
		{yaml: "buffer_bytes: lots", want: `buffer_bytes: "lots" is not a size`},
		{yaml: "buffer_bytes: 16EiB", want: `buffer_bytes: "16EiB"`},
		{yaml: "buffer_bytes: 8EiB", want: `buffer_bytes: "8EiB" is too large`},
		{yaml: "period: 1d", want: `period: "1d" is not a duration`},
		{yaml: "period: 0s", want: `period: must be greater than zero`},
	} {
		t.Run(test.yaml, func(t *testing.T) {
			yaml := "url: redis://a\n" + test.yaml
			conf, err := newSpec().ParseYAML(yaml, nil)
			require.NoError(t, err)
			size, sizeErr := Size(conf, "buffer_bytes")
			duration, durationErr := PositiveDuration(conf, "period")
			if test.want != "" {
				require.ErrorContains(t, Problems{fmt.Sprint(sizeErr), fmt.Sprint(durationErr)}, test.want)
				return
			}
			require.NoError(t, sizeErr)
			require.NoError(t, durationErr)
			assert.Equal(t, test.size, size)
			assert.Equal(t, test.duration, duration)
		})
	}
}
