package main

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/admin"
	"github.com/rafka-streams/rafka/splits"
)

// printed returns what a printer of the given format writes.
func printed(t *testing.T, format string, value any, text func(io.Writer)) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, printer{&out, format}.print(value, text))
	return out.String()
}

func sampleGroup() admin.GroupDescription {
	return admin.GroupDescription{
		Topic: "orders", Group: "billing", Type: "consumer", Version: 1700000000000,
		Members: []string{"rafka/a/1", "rafka/b/2"},
		Partitions: []admin.GroupPartition{
			{
				Split: splits.Split{
					Topic:     "orders",
					Partition: 0,
					Key:       "orders:0",
				},
				Owner:     "rafka/a/1",
				Epoch:     1700000000001,
				Expires:   9500 * time.Millisecond,
				Committed: &splits.Offset{Millis: 1700000000000, Seq: 3},
				Lag:       12,
				LagExact:  true,
				Age:       90 * time.Second,
			},
			{
				Split: splits.Split{Topic: "orders", Partition: 10, Key: "orders:10"}, Owner: "rafka/b/2", Epoch: 7,
				Expires: 250 * time.Millisecond, Committed: &splits.Offset{}, LagExact: true,
			},
			{Split: splits.Split{Topic: "orders", Partition: 11, Key: "orders:11"}, Owner: "rafka/c/3", Lag: 3},
			{Split: splits.Split{Topic: "orders", Partition: 12, Key: "orders:12"}, LagExact: true},
		},
	}
}

func TestGroupAsText(t *testing.T) {
	group := sampleGroup()
	assert.Equal(t, `Group:     billing
Topic:     orders
Type:      consumer
Lag:       <=15
Members:   2
           rafka/a/1
           rafka/b/2

PARTITION   OWNER       LEASE     COMMITTED         LAG   AGE
0           rafka/a/1   10s       1700000000000-3   12    1m30s
10          rafka/b/2   250ms     0-0               0     -
11          rafka/c/3   expired   -                 <=3   -
12          -           -         -                 0     -
`, printed(t, formatText, group, func(w io.Writer) { writeGroup(w, group) }))

	group.Partitions[2].LagExact = true
	assert.Contains(t, printed(t, formatText, group, func(w io.Writer) { writeGroup(w, group) }), "Lag:       15\n")
}
