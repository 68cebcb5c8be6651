// All functions of gomemcache: the text protocol over TCP and Unix sockets. The environment variables are those of
// `../python/common.py`.
package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
)

var (
	servers = strings.Split(os.Getenv("SERVER")+","+os.Getenv("FURTHER"), ",")
	client  = open(servers[0])
)

func open(servers ...string) *memcache.Client {
	client := memcache.New(servers...)
	client.Timeout = 10 * time.Second
	return client
}

// Fails the test unless both are the same.
func same(found, wanted interface{}) {
	if found != wanted {
		panic(fmt.Sprintf("%.300v is not %.300v", found, wanted))
	}
}

// The value of a read, or the name of the error.
func get(key string) string {
	item, err := client.Get(key)
	if err != nil {
		return err.Error()
	}
	return string(item.Value)
}

func item(key, value string) *memcache.Item {
	return &memcache.Item{Key: key, Value: []byte(value)}
}

func set(key, value string) {
	same(client.Set(item(key, value)), nil)
}

var miss = memcache.ErrCacheMiss.Error()

var tests = []struct {
	name string
	run  func()
}{
	{"set get", func() {
		set("k", "value")
		same(get("k"), "value")
		same(get("missing"), miss)
		set("empty", "")
		same(get("empty"), "")
	}},
	{"flags", func() {
		same(client.Set(&memcache.Item{Key: "k", Value: []byte("v"), Flags: 4294967295}), nil)
		found, _ := client.Get("k")
		same(found.Flags, uint32(4294967295))
	}},
	{"add", func() {
		same(client.Add(item("k", "1")), nil)
		same(client.Add(item("k", "2")), memcache.ErrNotStored)
		same(get("k"), "1")
	}},
	{"replace", func() {
		same(client.Replace(item("k", "1")), memcache.ErrNotStored)
		set("k", "1")
		same(client.Replace(item("k", "2")), nil)
		same(get("k"), "2")
	}},
	{"compare and swap", func() {
		set("k", "1")
		found, _ := client.Get("k")
		found.Value = []byte("2")
		same(client.CompareAndSwap(found), nil)
		same(client.CompareAndSwap(found), memcache.ErrCASConflict)
		same(client.Delete("k"), nil)
		same(client.CompareAndSwap(found), memcache.ErrCacheMiss)
	}},
	{"get multi", func() {
		keys := []string{"missing"}
		for i := 0; i < 300; i++ {
			keys = append(keys, fmt.Sprintf("key%d", i))
			set(keys[i+1], fmt.Sprint(i))
		}
		found, err := client.GetMulti(keys)
		same(err, nil)
		same(len(found), 300)
		for i := 0; i < 300; i++ {
			same(string(found[keys[i+1]].Value), fmt.Sprint(i))
		}
	}},
	{"incr", func() {
		_, err := client.Increment("n", 1)
		same(err, memcache.ErrCacheMiss)
		set("n", "10")
		value, _ := client.Increment("n", 32)
		same(value, uint64(42))
		set("n", "18446744073709551615")
		value, _ = client.Increment("n", 2)
		same(value, uint64(1))
	}},
	{"decr", func() {
		_, err := client.Decrement("n", 1)
		same(err, memcache.ErrCacheMiss)
		set("n", "10")
		value, _ := client.Decrement("n", 4)
		same(value, uint64(6))
		value, _ = client.Decrement("n", 100)
		same(value, uint64(0))
	}},
	{"incr of words", func() {
		set("n", "words")
		_, err := client.Increment("n", 1)
		same(strings.Contains(err.Error(), "non-numeric"), true)
		same(get("n"), "words")
	}},
	{"touch", func() {
		same(client.Touch("k", 100), memcache.ErrCacheMiss)
		same(client.Set(&memcache.Item{Key: "k", Value: []byte("1"), Expiration: 2}), nil)
		same(client.Touch("k", 100), nil)
		time.Sleep(2200 * time.Millisecond)
		same(get("k"), "1")
	}},
	{"delete", func() {
		same(client.Delete("k"), memcache.ErrCacheMiss)
		set("k", "1")
		same(client.Delete("k"), nil)
		same(get("k"), miss)
	}},
	{"expiry", func() {
		for key, expiration := range map[string]int32{
			"soon": 1, "later": 1000, "gone": -1, "absolute": int32(time.Now().Unix() + 1000),
		} {
			same(client.Set(&memcache.Item{Key: key, Value: []byte("1"), Expiration: expiration}), nil)
		}
		same(get("gone"), miss)
		time.Sleep(2200 * time.Millisecond)
		same(get("soon")+get("later")+get("absolute"), miss+"11")
	}},
	{"large values", func() {
		for _, size := range []int{1, 1023, 65_536, 500_000, 1_048_376} {
			value := make([]byte, size)
			for i := range value {
				value[i] = byte(i*31 + i>>8)
			}
			same(client.Set(&memcache.Item{Key: "large", Value: value}), nil)
			found, err := client.Get("large")
			same(err, nil)
			same(bytes.Equal(found.Value, value), true)
		}
	}},
	{"too large", func() {
		err := client.Set(&memcache.Item{Key: "large", Value: make([]byte, 1<<20)})
		same(strings.Contains(err.Error(), "too large"), true)
		set("k", "still there")
		same(get("k"), "still there")
	}},
	{"binary values", func() {
		for _, value := range []string{"\x00", "\r\n", "END\r\n", "VALUE k 0 1\r\n1\r\nEND\r\n"} {
			set("k", value)
			same(get("k"), value)
		}
	}},
	{"keys", func() {
		for _, key := range []string{"a", strings.Repeat("k", 250), "key:with/signs?&="} {
			set(key, key)
			same(get(key), key)
		}
		for _, key := range []string{strings.Repeat("k", 251), "with space", "line\n"} {
			same(client.Set(item(key, "1")), memcache.ErrMalformedKey)
		}
	}},
	{"delete all", func() {
		set("k", "1")
		same(client.DeleteAll(), nil)
		same(get("k"), miss)
	}},
	{"flush", func() {
		set("k", "1")
		same(client.FlushAll(), nil)
		same(get("k"), miss)
	}},
	{"concurrency", func() {
		var wait sync.WaitGroup
		wrong := make(chan string, 16)
		for number := 0; number < 16; number++ {
			wait.Add(1)
			go func(key string) {
				defer wait.Done()
				for turn := 0; turn < 50; turn++ {
					value := fmt.Sprint(turn)
					if err := client.Set(item(key, value)); err != nil || get(key) != value {
						wrong <- key
						return
					}
				}
			}(fmt.Sprintf("w%d", number))
		}
		wait.Wait()
		same(len(wrong), 0)
	}},
	{"several servers", func() {
		several := open(servers...)
		same(several.FlushAll(), nil)
		keys := []string{}
		for i := 0; i < 300; i++ {
			keys = append(keys, fmt.Sprintf("spread%d", i))
			same(several.Set(item(keys[i], keys[i])), nil)
		}
		found, err := several.GetMulti(keys)
		same(err, nil)
		same(len(found), 300)
		here, _ := client.GetMulti(keys)
		same(len(here) > 0 && len(here) < 300, true)
	}},
}

// Whether the test passed.
func run(name string, test func()) (passed bool) {
	defer func() {
		if problem := recover(); problem != nil {
			fmt.Fprintf(os.Stderr, "failed %s: %v\n", name, problem)
		}
	}()
	same(client.FlushAll(), nil)
	test()
	fmt.Println("passed", name)
	return true
}

func main() {
	fmt.Println("version", os.Getenv("PACKAGE_VERSION"))
	status := 0
	for _, test := range tests {
		if !run(test.name, test.run) {
			status = 1
		}
	}
	os.Exit(status)
}
