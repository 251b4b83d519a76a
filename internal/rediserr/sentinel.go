package rediserr

import (
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"
)

// noSentinel begins what go-redis says when no Sentinel could tell the master, with the answers of
// all of them behind it. It has no type for that.
const noSentinel = clientPrefix + "all sentinels specified in configuration are unreachable"

// withoutMaster reports whether a request was not sent because no Sentinel could tell where the
// master is.
func withoutMaster(err error) bool { return err != nil && strings.Contains(err.Error(), noSentinel) }

// judgeSentinels finds the class and the remedy of such an error. "Nothing" is what a Sentinel
// answers that does not know the name.
func diagnoseSentinels(err error) (Class, string) {
	class, remedy := ClassConnection, "no Sentinel can be reached: `url` lists the Sentinels, check it, and that "+
		"they are up"
	if text := tlsRemedy(err); text != "" {
		remedy = text
	}
	for _, answer := range causes(err) {
		var refused redis.Error
		if errors.Is(answer, redis.Nil) {
			return ClassConnection, "no Sentinel knows a master of that name: check `master`"
		} else if !errors.As(answer, &refused) {
			continue
		}
		switch found, _ := diagnoseServerError(refused); found {
		case ClassAuth, ClassPermission:
			class, remedy = ClassAuth, "the Sentinels refuse us: check `sentinel_username` and "+
				"`sentinel_password`, which are not those of the server"
		case ClassFinal:
			remedy = "`url` does not lead to Sentinels: name those, or set `kind` to what it leads to"
		}
	}
	return class, remedy
}

// joined takes an error apart that holds several.
func causes(err error) []error {
	for ; err != nil; err = errors.Unwrap(err) {
		if several, ok := err.(interface{ Unwrap() []error }); ok {
			return several.Unwrap()
		}
	}
	return nil
}
