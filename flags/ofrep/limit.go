package ofrep

import (
	"math"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// addressesKept bounds what a limiter remembers.
const addressesKept = 4096

// limiter allows each client address so many requests a second, and a second's worth at once. A nil one allows all.
type limiter struct {
	rate   rate.Limit
	burst  int
	mu     sync.Mutex
	of     map[netip.Prefix]*rate.Limiter
	others *rate.Limiter // of addresses that found no room
}

func newLimiter(perSecond float64) *limiter {
	if perSecond <= 0 {
		return nil
	}
	l := &limiter{rate: rate.Limit(perSecond), burst: int(math.Ceil(perSecond)), of: map[netip.Prefix]*rate.Limiter{}}
	l.others = rate.NewLimiter(l.rate, l.burst)
	return l
}

// take is 0 when the client may go on, else how long it should wait.
func (l *limiter) take(remote string, now time.Time) time.Duration {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.find(network(remote), now)
	if one.AllowN(now, 1) {
		return 0
	}
	return time.Duration(max(1-one.TokensAt(now), 0)/float64(l.rate)*float64(time.Second)) + 1
}

// find forgets addresses that have been quiet when there is no room: they lose nothing by it.
func (l *limiter) find(client netip.Prefix, now time.Time) *rate.Limiter {
	if one := l.of[client]; one != nil {
		return one
	}
	if len(l.of) >= addressesKept {
		for k, one := range l.of {
			if one.TokensAt(now) >= float64(l.burst) {
				delete(l.of, k)
			}
		}
	}
	if len(l.of) >= addressesKept {
		return l.others
	}
	one := rate.NewLimiter(l.rate, l.burst)
	l.of[client] = one
	return one
}

// network is the client's address; of IPv6 the half that one client cannot choose.
func network(remote string) netip.Prefix {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	addr, bits := at.Addr().Unmap().WithZone(""), 32
	if addr.Is6() {
		bits = 64
	}
	p, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
