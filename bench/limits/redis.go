package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

func client(o options) (*redis.Client, error) {
	opts, err := redis.ParseURL(o.url)
	if err != nil {
		return nil, err
	}
	return redis.NewClient(opts), nil
}

// xread reads n entries of all streams with one XREAD after the other, and parses only their IDs.
func xread(ctx context.Context, o options) error {
	c, err := client(o)
	if err != nil {
		return err
	}
	defer c.Close()
	keys, after := make([]string, o.parts), map[string]string{}
	for i := range keys {
		keys[i] = fmt.Sprintf(o.keys, i)
		after[keys[i]] = "0"
	}
	for read := 0; read < o.n; {
		args := append(make([]any, 0, 4+2*o.parts), "xread", "count", o.batch, "streams")
		for _, key := range keys {
			args = append(args, key)
		}
		for _, key := range keys {
			args = append(args, after[key])
		}
		// the generic reader costs less than XRead, which creates a map per entry
		streams, err := c.Do(ctx, args...).Result()
		if err != nil {
			return fmt.Errorf("after %d entries: %w", read, err)
		}
		for key, list := range streams.(map[any]any) {
			entries := list.([]any)
			read += len(entries)
			after[key.(string)] = entries[len(entries)-1].([]any)[0].(string)
		}
	}
	return nil
}

// xadd adds n entries, one pipeline after the other.
func xadd(ctx context.Context, o options) error {
	c, err := client(o)
	if err != nil {
		return err
	}
	defer c.Close()
	body := strings.Repeat("x", o.body)
	for added := 0; added < o.n; added += o.batch {
		pipe := c.Pipeline()
		for i := range min(o.batch, o.n-added) {
			pipe.Do(ctx, "xadd", fmt.Sprintf(o.keys, (added+i)%o.parts), "*", "body", body, "rafka_key", "customer")
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}
