package main

import (
	"io"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/rafka-streams/rafka/internal/admin"
	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/splits"
)

func TestTopicAsText(t *testing.T) {
	topic := admin.TopicDescription{
		Topic: broker.Topic{Name: "orders", Partitions: 2, CreatedMS: 1769860800000},
		Partitions: []admin.PartitionDescription{
			{
				Partition: 0, Key: "orders:0", Exists: true, Length: 1200, Added: 5000,
				First: splits.Offset{Millis: 1769860800000}, Last: splits.Offset{Millis: 1769860900000, Seq: 12},
			},
			{Partition: 1, Key: "orders:1", Added: -1},
		},
	}
	assert.Equal(t, `Topic:        orders
Partitions:   2
Created:      2026-01-31T12:00:00Z

PARTITION   KEY        ENTRIES   EVER ADDED   FIRST             LAST
0           orders:0   1200      5000         1769860800000-0   1769860900000-12
1           orders:1   0         -            -                 -
`, printed(t, formatText, topic, func(w io.Writer) { writeTopic(w, topic) }))
}

func TestPlainTopicAsText(t *testing.T) {
	topic := admin.TopicDescription{
		Topic: broker.Topic{Name: "events"},
		Partitions: []admin.PartitionDescription{
			{Key: "events", Exists: true, Added: 3, Last: splits.Offset{Millis: 5}},
		},
	}
	assert.Equal(t, `Topic:        events
Partitions:   none, it is a plain stream
Created:      -

PARTITION   KEY      ENTRIES   EVER ADDED   FIRST   LAST
0           events   0         3            -       5-0
`, printed(t, formatText, topic, func(w io.Writer) { writeTopic(w, topic) }))
}
