package openfeature

import (
	"fmt"

	"github.com/serin-cd/serin/flags"
)

const (
	usersAtRest = 64   // all get the same variant
	usersInRamp = 1000 // for the share that is reported
	usersAside  = 4    // at least, on each side of a ramp
	usersTried  = 400_000
)

// users are the targeting keys to ask for: a sample, and where its share is too small to be seen in the sample, some
// more users of the rarer side.
func users(key string, share int) (sample, extra []string) {
	if share == 0 || share == flags.Total {
		return first(usersAtRest), nil
	}
	sample = first(usersInRamp)
	in := 0
	for _, u := range sample {
		if flags.Bucket(key, u) < share {
			in++
		}
	}
	out := len(sample) - in
	for n := usersInRamp; n < usersTried && (in < usersAside || out < usersAside); n++ {
		u := user(n)
		switch reached := flags.Bucket(key, u) < share; {
		case reached && in < usersAside:
			in++
		case !reached && out < usersAside:
			out++
		default:
			continue
		}
		extra = append(extra, u)
	}
	return sample, extra
}

func first(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = user(i)
	}
	return names
}

func user(n int) string { return fmt.Sprintf("serin-user-%d", n) }
