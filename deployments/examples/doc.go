// Package examples holds policies that run as they stand: that of `serin demo`, and beside it, in folders of their own,
// policies for movers that need more than a policy, a receiver for flags behind a webhook, and jobs for CI systems. It
// holds text and decides nothing.
package examples
