package service

import (
	"errors"
	"fmt"
	"time"
)

// Kind is what is wrong with a version.
type Kind string

// The kinds. The zero Kind is None.
const (
	None        Kind = ""
	Errors      Kind = "errors"       // a share of its answers are 500
	Latency     Kind = "latency"      // a share of its answers take long
	Crash       Kind = "crash"        // its process ends: connections are refused, its metrics cannot be scraped
	NoTraffic   Kind = "no-traffic"   // it runs and has metrics, but its requests go to the longest-running other version
	IgnoresFlag Kind = "ignores-flag" // a share of all requests goes to it whatever the flag says
)

// Fault is what is wrong with a version, and from when on.
type Fault struct {
	Kind    Kind
	Rate    float64       // share of the requests it touches, above 0 to 1; 0 stands for all
	Latency time.Duration // what a slow answer takes; only for Latency
	// FromShare is the share of the flag's answers from which on the fault acts, in basis points: 2500 is the step of
	// 25 %. It begins at four fifths of it, since users without a key never count to it. 0 is from the first answer that
	// names the version; IgnoresFlag then needs none, and acts from the start.
	FromShare int
}

// check says what makes no sense in a fault.
func (f Fault) check() error {
	switch f.Kind {
	case None, Errors, Crash, NoTraffic, IgnoresFlag:
	case Latency:
		if f.Latency <= 0 {
			return errors.New("a latency fault needs a latency above 0")
		}
	default:
		return fmt.Errorf("unknown fault %q", f.Kind)
	}
	if f.Rate < 0 || f.Rate > 1 {
		return fmt.Errorf("a fault's rate goes from 0 to 1, not %v", f.Rate)
	}
	if f.FromShare < 0 || f.FromShare > 10000 {
		return fmt.Errorf("a fault's share goes from 0 to 10000 basis points, not %d", f.FromShare)
	}
	return nil
}

// reached reports whether a share of the flag's answers, in basis points, is enough for the fault to begin.
func (f Fault) reached(share int) bool { return share*5 >= f.FromShare*4 }

// hits decides whether the fault touches one request; chance is from 0 to 1.
func (f Fault) hits(chance float64) bool { return f.Rate == 0 || chance < f.Rate }
