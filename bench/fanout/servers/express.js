// Server-Sent Events on Express in the usual way: a Map of clients, and res.write to each.
const express = require('express')
const readline = require('readline')

const app = express()
const clients = new Map()
let nextId = 0

app.get('/events', (req, res) => {
  const id = nextId++
  res.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache', Connection: 'keep-alive' })
  res.write('event: connected\ndata: {}\n\n')
  clients.set(id, res)
  req.on('close', () => clients.delete(id))
})

// Events arrive as lines of one request, which costs less than a request each.
app.post('/publish', (req, res) => {
  let offset = 0
  readline.createInterface({ input: req }).on('line', (line) => {
    const frame = `id: ${offset++}\nevent: document_processing\ndata: ${line}\n\n`
    for (const client of clients.values()) client.write(frame)
  }).on('close', () => res.end())
})

app.listen(Number(process.env.PORT), '127.0.0.1', 4096)
