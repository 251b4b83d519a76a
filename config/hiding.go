package config

import (
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/redpanda-data/benthos/v4/public/bloblang"
)

// Where the engine shows a config (`rafka echo`, /debug/config), it hides the password of a URL
// with the mapping of service.NewURLField. If that mapping can't parse the URL, the engine shows
// all of it. So rafka rejects a URL whose password would be shown.

// hidingQuery finds the password in the same way as the engine.
var hidingQuery = sync.OnceValues(func() (*bloblang.Executor, error) {
	return bloblang.NewEnvironment().OnlyPure().Parse(`root = this.parse_url().user.password.or("")`)
})

// likeVariable matches what the engine considers an unresolved variable, and shows.
var likeVariable = regexp.MustCompile(`^\${[0-9A-Za-z_.]+(:((\${[^}]+})|[^}])*)?}$`)

// hidesPassword reports whether the engine hides the password in a URL.
func hidesPassword(text string) bool {
	query, err := hidingQuery()
	if err != nil {
		return false
	}
	found, err := query.Query(text)
	password, _ := found.(string)
	return err == nil && password != "" && !likeVariable.MatchString(strings.TrimSpace(password))
}

// checkHidden rejects a URL with a password that the engine would show.
func checkHidden(text string, user *url.Userinfo, p *Problems) {
	if user == nil {
		return
	}
	password, _ := user.Password()
	if password == "" || hidesPassword(text) {
		return
	}
	const remedy = "or give the password in the field password (and the user in username), where it is always hidden"
	switch {
	case likeVariable.MatchString(strings.TrimSpace(password)):
		p.Add(
			fieldURL,
			"the password looks like an unresolved variable, and rafka echo would show it: set the variable, or use "+
				"another password",
		)
	case strings.ContainsFunc(text, isBlank):
		p.Add(
			fieldURL,
			"contains white space (perhaps the line break at the end of a secret's file), so rafka echo would show "+
				"its password: remove the white space, %s",
			remedy,
		)
	default:
		p.Add(
			fieldURL,
			"rafka echo would show a password in a list of such addresses: remove it from the list, %s",
			remedy,
		)
	}
}

// checkSecret rejects a password in a password field if the engine would show it: the engine hides
// strings only.
func checkSecret(field string, value any, p *Problems) {
	text, isText := value.(string)
	switch {
	case value == nil:
	case !isText:
		p.Add(field, "is not a string, so rafka echo would show it: write it in quotes")
	case likeVariable.MatchString(strings.TrimSpace(text)):
		p.Add(
			field,
			"looks like an unresolved variable, and rafka echo would show it: set the variable, or use another "+
				"password",
		)
	}
}

func isBlank(r rune) bool { return r <= ' ' || strings.TrimSpace(string(r)) == "" }
