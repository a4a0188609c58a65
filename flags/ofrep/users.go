package ofrep

import (
	"fmt"

	"github.com/serin-cd/serin/flags"
)

const (
	usersAsked = 1000   // a share of 1 % that is left over is seen among them, whatever the buckets
	usersAside = 4      // at least, on each side of a ramp
	usersTried = 50_000 // for those aside
)

// users are the targeting keys to ask for: a sample, and some aside that tell most where the buckets are Serin's. In a
// ramp these are more users of the side that is rare in the sample; at rest the ones whom a share that is left over
// would keep longest.
func users(key string, share int) (sample, aside []string) {
	sample = make([]string, usersAsked)
	in, out := 0, 0
	count := func(u string) bool {
		reached := flags.Bucket(key, u) < share
		if reached {
			in++
		} else {
			out++
		}
		return reached
	}
	for i := range sample {
		sample[i] = user(i)
		count(sample[i])
	}
	if share == 0 || share == flags.Total {
		return sample, edge(key, share)
	}
	for n := usersAsked; n < 8*usersTried && (in < usersAside || out < usersAside); n++ {
		u := user(n)
		if reached := flags.Bucket(key, u) < share; reached && in < usersAside || !reached && out < usersAside {
			count(u)
			aside = append(aside, u)
		}
	}
	return sample, aside
}

// edge are the users nearest to the end of the buckets that a ramp leaves last on its way to share.
func edge(key string, share int) []string {
	var nearest []string
	for reach := 1; len(nearest) < usersAside; reach *= 2 {
		nearest = nearest[:0]
		for n := usersAsked; n < usersTried && len(nearest) < usersAside; n++ {
			b := flags.Bucket(key, user(n))
			if share == 0 && b < reach || share != 0 && b >= flags.Total-reach {
				nearest = append(nearest, user(n))
			}
		}
	}
	return nearest
}

func user(n int) string { return fmt.Sprintf("serin-user-%d", n) }
