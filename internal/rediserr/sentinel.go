package rediserr

import (
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"
)

// noSentinel is the beginning of go-redis' error when no Sentinel reported the master. The replies
// of all Sentinels follow. go-redis has no type for this error.
const noSentinel = clientPrefix + "all sentinels specified in configuration are unreachable"

// withoutMaster reports whether a request was not sent because no Sentinel reported the address of
// the master.
func withoutMaster(err error) bool { return err != nil && strings.Contains(err.Error(), noSentinel) }

// diagnoseSentinels returns the class and the remedy of an error for which withoutMaster is true.
// redis.Nil is the reply of a Sentinel that does not know the name of the master.
func diagnoseSentinels(err error) (Class, string) {
	class, remedy := ClassConnection, "no Sentinel can be reached: check the addresses of the Sentinels in "+
		"`url`, and that the Sentinels are running"
	if text := tlsRemedy(err); text != "" {
		remedy = text
	}
	for _, answer := range causes(err) {
		var reply redis.Error
		if errors.Is(answer, redis.Nil) {
			return ClassConnection, "no Sentinel monitors a master of that name: check `master`"
		} else if !errors.As(answer, &reply) {
			continue
		}
		switch found, _ := diagnoseServerError(reply); found {
		case ClassAuth, ClassPermission:
			class, remedy = ClassAuth, "the Sentinels deny access: check `sentinel_username` and `sentinel_password`, "+
				"since the Sentinels ignore `username` and `password`"
		case ClassFinal:
			remedy = "the addresses in `url` are not Sentinels: set `url` to the Sentinels, or `kind` to simple " +
				"or cluster"
		}
	}
	return class, remedy
}

// causes returns the errors that err joins, or nil if err joins none.
func causes(err error) []error {
	for ; err != nil; err = errors.Unwrap(err) {
		if several, ok := err.(interface{ Unwrap() []error }); ok {
			return several.Unwrap()
		}
	}
	return nil
}
