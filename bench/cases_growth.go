package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/splits"
)

// The cost of a large group for the server.
const (
	beatMicros    = "beat µs"           // server time of a heartbeat of a member that has the plan
	planMicros    = "beat with plan µs" // server time of a heartbeat that returns the plan
	planKB        = "plan KB"           // size of that reply
	proposeMicros = "propose µs"        // server time
	assignMillis  = "assign ms"         // time of the member that plans, when one member has left
)

// growth measures groups of different sizes that share 10,000 partitions.
func growth(ctx context.Context, e *environment) ([]contender, error) {
	const parts = 10_000
	topic := e.name("topic")
	if _, _, err := broker.NewTopics(e.redis).Create(ctx, topic, parts); err != nil {
		return nil, err
	}
	var contenders []contender
	for _, members := range []int{10, 100, 1000} {
		contenders = append(
			contenders,
			contender{strconv.Itoa(members) + " members", func(ctx context.Context, e *environment) (sample, error) {
				return e.grow(ctx, topic, members, parts)
			}},
		)
	}
	return contenders, nil
}

// grow makes members join a new group, plan, and send heartbeats, and measures the time of the
// server.
func (e *environment) grow(ctx context.Context, topic string, members, parts int) (sample, error) {
	group := broker.NewGroup(e.redis, topic, e.name("group"))
	beat := splits.Beat{TTL: time.Minute}
	names := make([]string, members)
	var view splits.View
	var err error
	for i := range names {
		names[i] = fmt.Sprintf("rafka/machine-%d/ABCDEFGHIJKLMNOPQRSTUVWXYZ", i)
		beat.Member = names[i]
		if view, err = group.Beat(ctx, beat); err != nil {
			return nil, err
		}
	}
	previous := splits.Assign(names[1:], parts, nil)
	began := time.Now()
	plan := splits.Plan{Version: view.Version, Assignments: splits.Assign(names, parts, previous)}
	s := sample{assignMillis: time.Since(began).Seconds() * 1000}

	// each makes n calls and returns the server's time and output in bytes per call.
	each := func(n int, call func(i int) error) (micros, bytes float64, err error) {
		if err := e.redis.ConfigResetStat(ctx).Err(); err != nil {
			return 0, 0, err
		}
		for i := range n {
			if err := call(i); err != nil {
				return 0, 0, err
			}
		}
		micros, err = e.infoNumber(ctx, "commandstats", `cmdstat_evalsha:.*usec_per_call=([0-9.]+)`)
		if err != nil {
			return 0, 0, err
		}
		bytes, err = e.infoNumber(ctx, "stats", `total_net_output_bytes:([0-9]+)`)
		return micros, bytes / float64(n), err
	}
	// This proposal is rejected, but loads the script.
	if _, err := group.Propose(ctx, splits.Plan{Version: 1}); err != nil {
		return nil, err
	}
	if s[proposeMicros], _, err = each(1, func(int) error {
		stored, err := group.Propose(ctx, plan)
		if err == nil && !stored {
			err = errors.New("the plan was rejected")
		}
		return err
	}); err != nil {
		return nil, err
	}
	beatAs := func(planned uint64) func(i int) error {
		return func(i int) error {
			_, err := group.Beat(ctx, splits.Beat{Member: names[i%members], TTL: time.Minute, Planned: planned})
			return err
		}
	}
	if s[planMicros], s[planKB], err = each(100, beatAs(0)); err != nil {
		return nil, err
	}
	s[planKB] /= 1024
	s[beatMicros], _, err = each(1000, beatAs(plan.Version))
	return s, err
}

// infoNumber returns a number from a section of INFO.
func (e *environment) infoNumber(ctx context.Context, section, pattern string) (float64, error) {
	text, err := e.redis.Info(ctx, section).Result()
	if err != nil {
		return 0, err
	}
	found := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if found == nil {
		return 0, fmt.Errorf("INFO %s has no %s", section, pattern)
	}
	return strconv.ParseFloat(found[1], 64)
}
