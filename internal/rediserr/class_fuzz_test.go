package rediserr

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every error has a class, which does not change when the error is wrapped and explained. The
// explained error is a single line that contains the error.
func FuzzErrorsAreClassified(f *testing.F) {
	for _, r := range serverErrors {
		f.Add(r.prefix + " because")
		f.Add("ERR " + r.prefix + " because")
		f.Add("ERR Error running script (call to f_0): @user_script:1: " + r.prefix + " because")
	}
	for _, text := range []string{
		"", "ERR", "NOPERM this user has no permissions to run the 'xadd' command", "redis: client is closed",
		"redis: all sentinels specified",
		"ERR Error running script", "Error compiling script ", "unauthenticated", "a\nb",
		"NOPERM no\npermissions to access a key", "\xff",
		"NOPERM '' command", "OOM\n", " OOM",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, err := range []error{Error(text), errors.New(text)} {
			class := Classify(err)
			require.True(t, class > ClassNone && class <= ClassFinal, "%d", class)
			explained := Explain(err)
			require.ErrorIs(t, explained, err)
			require.Equal(t, class, Classify(explained))
			require.Equal(t, explained, Explain(explained), "explained twice")
			wrapped := Explain(fmt.Errorf("reading partition orders-3: %w", err))
			require.Equal(t, class, Classify(wrapped))
			require.Contains(t, wrapped.Error(), "reading partition orders-3: ")
			if explained.Error() != text {
				require.NotContains(t, explained.Error(), "\n")
				require.True(
					t,
					strings.HasPrefix(explained.Error(), strings.ReplaceAll(text, "\n", ", ")),
					explained.Error(),
				)
			}
		}
	})
}

// An error inside a script has the same class as the same error outside a script.
func FuzzErrorsInsideScripts(f *testing.F) {
	for i := range serverErrors {
		f.Add(uint8(i), "because", "f_0123456789")
	}
	f.Add(uint8(0), "\n", " ")
	f.Fuzz(func(t *testing.T, which uint8, reason, function string) {
		r := serverErrors[int(which)%len(serverErrors)]
		for _, other := range serverErrors {
			if strings.Contains(function, other.prefix) {
				return // the text contains another error first
			}
		}
		if strings.Contains(function+reason, "unauthenticated") {
			return
		}
		met := Error(r.prefix + " " + reason)
		inside := Error("ERR Error running script (call to " + function + "): @user_script:1: " + string(met))
		require.Equal(t, Classify(met), Classify(inside), "%s", inside)
	})
}
