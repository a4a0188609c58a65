package openfeature

import (
	"fmt"
	"maps"

	"github.com/serin-cd/serin/flags"
)

const (
	usersAtRest = 64   // all get the same variant
	usersInRamp = 1000 // for the share that is reported
	usersAside  = 4    // at least, on each side of a ramp
	usersTried  = 400_000
)

// person is a synthetic user: a targeting key, "" for none, and other attributes.
type person struct {
	key        string
	attributes map[string]any
}

// due is the variant that the person must get of the flag with that name.
func (p person) due(name string, want flags.Want) string {
	if p.attributes == nil {
		return want.For(name, p.key)
	}
	ctx := maps.Clone(p.attributes)
	ctx[flags.TargetingKey] = p.key
	return want.ForContext(name, ctx)
}

func (p person) String() string {
	if p.attributes == nil {
		return fmt.Sprintf("user %q", p.key)
	}
	return fmt.Sprintf("user %q with %v", p.key, p.attributes)
}

// crowd is who is asked for: a sample of users without other attributes, and besides them one without a targeting key,
// some of the rarer side of a ramp, and for an audience its members and such as lack one attribute, each with a
// targeting key and without.
func crowd(name string, want flags.Want) (sample, others []person) {
	keys, extra := users(name, want.Share)
	for _, key := range keys {
		sample = append(sample, person{key: key})
	}
	others = []person{{}}
	for _, key := range extra {
		others = append(others, person{key: key})
	}
	for i, ctx := range append(want.Also.Contexts(), want.Was.Contexts()...) {
		key, named := ctx[flags.TargetingKey].(string)
		delete(ctx, flags.TargetingKey)
		if !named {
			key = user(i)
			others = append(others, person{attributes: ctx})
		}
		others = append(others, person{key, ctx})
	}
	return sample, others
}

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
