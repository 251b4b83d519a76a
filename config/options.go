package config

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// unsupported holds the URL options that go-redis supports and rafka rejects, with the remedy.
var unsupported = map[string]string{
	"max_retries":                reasonRetries,
	"min_retry_backoff":          reasonRetries,
	"max_retry_backoff":          reasonRetries,
	"dialer_retries":             reasonRetries,
	"dialer_retry_timeout":       reasonRetries,
	"read_only":                  reasonReplicas,
	"replica_only":               reasonReplicas,
	"use_disconnected_replicas":  reasonReplicas,
	"route_by_latency":           reasonReplicas,
	"route_by_latency_tolerance": reasonReplicas,
	"route_randomly":             reasonReplicas,
	"username":                   "set the field username instead",
	"password":                   "set the field password instead",
	"disableIdentity":            "rafka never sends CLIENT SETINFO: remove it",
	"identitySuffix":             "rafka never sends CLIENT SETINFO: remove it",
	"unstable_resp3":             "remove it",
}

const (
	reasonRetries  = "rafka controls retries: remove it"
	reasonReplicas = "rafka reads from masters only, since a replica can be behind the committed offsets: remove it"
)

// clientOptions returns the options of the URL. go-redis parses them for the given kind of client,
// since each kind has options of its own.
func (u *parsedURL) clientOptions(kind string) (redis.UniversalOptions, error) {
	if err := checkSupported(u.options); err != nil {
		return redis.UniversalOptions{}, err
	}
	o, err := u.parseOptions(kind)
	if err == nil && kind != kindCluster {
		o.DB, err = u.database(o.DB)
	}
	if err != nil {
		return redis.UniversalOptions{}, explainOptions(err)
	}
	return o, nil
}

func (u *parsedURL) parseOptions(kind string) (o redis.UniversalOptions, err error) {
	var parsed any
	var more []string // addresses from the option addr
	switch kind {
	case kindCluster:
		var cluster *redis.ClusterOptions
		if cluster, err = redis.ParseClusterURL(u.String()); err == nil {
			parsed, more = cluster, cluster.Addrs[1:]
		}
	case kindFailover:
		var failover *redis.FailoverOptions
		if failover, err = redis.ParseFailoverURL(u.String()); err == nil {
			parsed, more = failover, failover.SentinelAddrs[1:]
		}
	default:
		parsed, err = redis.ParseURL(u.String())
	}
	if err != nil {
		return redis.UniversalOptions{}, err
	}
	o = universal(parsed)
	o.Addrs = slices.Concat(u.addrs, more)
	return o, nil
}

// universal returns the options of one kind of client as options for any kind: go-redis gives the
// same option the same name everywhere. Addresses have other names and are left out.
func universal(parsed any) redis.UniversalOptions {
	var o redis.UniversalOptions
	from, to := reflect.ValueOf(parsed).Elem(), reflect.ValueOf(&o).Elem()
	for i := range to.NumField() {
		if value := from.FieldByName(to.Type().Field(i).Name); value.IsValid() && to.Field(i).Type() == value.Type() {
			to.Field(i).Set(value)
		}
	}
	return o
}

// database returns the number in the option db, or otherwise the number in the path.
func (u *parsedURL) database(option int) (int, error) {
	switch {
	case !u.options.Has("db"):
		return u.db, nil
	case option < 0:
		return 0, errors.New("the option db must not be negative")
	default:
		return option, nil
	}
}

func checkSupported(options url.Values) error {
	for _, name := range slices.Sorted(maps.Keys(options)) {
		if reason, found := unsupported[name]; found {
			return fmt.Errorf("url: the option %s is not supported: %s", name, reason)
		}
	}
	return nil
}

// explainOptions rewords go-redis' error about an option. The error can quote the option's value,
// but not credentials: go-redis received the URL without them.
func explainOptions(err error) error {
	text := strings.TrimPrefix(err.Error(), "redis: ")
	if names, found := strings.CutPrefix(text, "unexpected option: "); found {
		return fmt.Errorf("url: unknown option %s: remove it, or correct its name", names)
	}
	return errors.New("url: " + text + ": correct the option after the question mark")
}
