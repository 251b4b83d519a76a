package main

import "slices"

// The names of the contenders in the tables.
const (
	rafka       = "rafka"
	otherPlain  = "redis_streams"
	otherBest   = "redis_streams limit 1000"
	otherWide   = "redis_streams limit 1000, 8 streams"
	engineLimit = "Benthos from memory"
	clientLimit = "bare go-redis"
)

func cases() []benchCase {
	return slices.Concat(readCases(), shareCases(), orderCases(), writeCases(), costCases())
}

func readCases() []benchCase {
	return []benchCase{
		{
			name: "read", title: "a backlog of 500,000 over 8 partitions, to drop", prepare: readers,
			aims: []aim{
				{what: rafka, of: otherPlain, value: rate, least: 10},
				{what: rafka, of: otherBest, value: rate, least: 5},
				{what: rafka, of: otherWide, value: rate, least: 1},
				{what: rafka, of: engineLimit, orOf: clientLimit, value: rate, least: 0.7},
			},
		},
		{
			name:    "replicated",
			title:   "the same with an append-only file (everysec) and a replica",
			prepare: replicated,
			server:  []string{"--appendonly", "yes", "--appendfsync", "everysec"},
			aims: []aim{
				{what: rafka, of: otherPlain, value: rate, least: 10},
				{what: rafka, of: otherBest, value: rate, least: 5},
			},
		},
		{
			name: "partitions", title: "a backlog of 500,000 over growing numbers of partitions", prepare: partitions,
			aims: []aim{{what: "256", of: "8", value: rate, least: 0.8}},
		},
		{
			name:    "hot",
			title:   "a backlog of 500,000 in one partition, alone and with 63 empty ones",
			prepare: hot,
			aims:    []aim{{what: "with 63 empty ones", of: "alone", value: rate, least: 0.6}},
		},
	}
}

func writeCases() []benchCase {
	return []benchCase{
		{
			name: "write", title: "500,000 keyed messages in batches of 1,000 to 8 partitions", prepare: writers,
			aims: []aim{
				{what: rafka, of: otherPlain, value: rate, least: 3.5},
				{what: rafka, of: clientLimit, value: rate, least: 0.6},
			},
		},
		{
			name:    "unbatched",
			title:   "200,000 keyed messages one by one to 8 partitions, max_in_flight 64",
			prepare: unbatched,
			aims:    []aim{{what: rafka, of: otherPlain, value: rate, least: 1.3}},
		},
		{
			name:    "copy",
			title:   "200,000 messages from 8 partitions through a mapping to 8 partitions",
			prepare: copiers,
			aims: []aim{
				{what: rafka, of: otherPlain, value: rate, least: 4},
				{what: rafka, of: otherWide, value: rate, least: 4},
			},
		},
	}
}

func costCases() []benchCase {
	return []benchCase{
		{
			name: "latency", title: "from write to read at 1,000 messages a second", prepare: latencies,
			aims: []aim{
				{what: "rafka, 1 partition", of: otherPlain, value: p50, most: 1},
				{what: "rafka, 1 partition", of: otherPlain, value: p99, most: 1},
				{what: "rafka, 64 partitions", of: otherPlain, value: p99, most: 1.5},
			},
		},
		{
			name: "idle", title: "cost of readers of empty partitions", prepare: idleReaders,
			aims: []aim{
				{what: "64 partitions", value: clientShare, most: 1},
				{what: "64 partitions", value: serverShare, most: 1},
				{what: "1000 partitions", value: clientShare, most: 3},
				{what: "1000 partitions", value: serverShare, most: 3},
			},
		},
		{
			name: "memory", title: "memory of readers with a backlog", prepare: backlogReaders,
			aims: []aim{
				{what: "64 partitions, 1,000,000 messages", value: resident, most: 150},
				{what: "256 partitions of 1 MB", value: resident, most: 400},
			},
		},
		{
			name: "change", title: "joining and leaving, 64 partitions", prepare: changes,
			aims: []aim{
				{what: "quiet", value: joinP99, most: 250},
				{what: "quiet", value: leaveP99, most: 250},
			},
		},
		{name: "growth", title: "groups of growing size on 10,000 partitions", prepare: growth},
	}
}
