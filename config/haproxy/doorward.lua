-- Asks Doorward about a call: `http-request lua.doorward ADDRESS:PORT`. A call goes on only when Doorward says 200;
-- then it carries who asks. Whatever else happens, an answer is given here and the call ends.

-- How long Doorward may take for an answer, in milliseconds; HAProxy tries four times.
local PATIENCE = 1500

-- What Doorward says of who asks.
local IDENTITY = { "doorward-user", "doorward-roles", "doorward-decision-id" }

-- Of Doorward's refusal the client sees these.
local RELAYED = { "content-type", "cache-control", "vary", "www-authenticate", "retry-after", "doorward-decision-id" }

-- What belongs to the connection between client and HAProxy, or is said by HAProxy alone.
local OWN = {
    ["connection"] = true, ["keep-alive"] = true, ["proxy-connection"] = true, ["te"] = true, ["trailer"] = true,
    ["transfer-encoding"] = true, ["upgrade"] = true, ["content-length"] = true, ["expect"] = true, ["host"] = true,
    ["x-forwarded-method"] = true, ["x-forwarded-uri"] = true, ["x-forwarded-host"] = true,
    ["x-original-method"] = true, ["x-original-uri"] = true,
}

-- The target as it goes to the API.
local function target(txn)
    if txn.sf:req_ver() == "2.0" then
        return txn.sf:pathq()
    end
    return txn.sf:url()
end

-- The client's headers, and what the call is.
local function question(txn)
    local headers = {}
    local hosts = {}
    for name, values in pairs(txn.http:req_get_headers()) do
        if name == "host" then
            for _, value in pairs(values) do hosts[#hosts + 1] = value end
        elseif not OWN[name] then
            local list = {}
            for _, value in pairs(values) do list[#list + 1] = value end
            headers[name] = list
        end
    end
    headers["x-forwarded-method"] = { txn.sf:method() }
    headers["x-forwarded-uri"] = { target(txn) }
    if #hosts > 0 then headers["x-forwarded-host"] = hosts end
    return headers
end

-- What is said when Doorward says nothing.
local UNAVAILABLE = {
    status = 503,
    headers = { ["content-type"] = "application/problem+json", ["cache-control"] = "private, no-store", ["retry-after"] = "1" },
    body = '{"name":"PolicyUnavailable","errorDetails":[],"code":-1,"title":"Policy unavailable","status":503}',
}

-- The first value of a header of an answer; HAProxy counts from 0.
local function first(headers, name)
    local values = headers and headers[name]
    if type(values) ~= "table" then return nil end
    return values[0] or values[1]
end

-- What to answer instead of the call's going on; nothing when it may.
local function refusal(txn, address)
    local answer = core.httpclient():get({ url = "http://" .. address .. "/auth", headers = question(txn), timeout = PATIENCE })
    -- An answer without an id is none of Doorward's.
    if answer == nil or first(answer.headers, "doorward-decision-id") == nil then
        return UNAVAILABLE
    end
    if answer.status ~= 200 then
        if answer.status < 400 or answer.status > 599 then return UNAVAILABLE end
        local headers = {}
        for _, name in ipairs(RELAYED) do headers[name] = first(answer.headers, name) end
        return { status = answer.status, headers = headers, body = answer.body or "" }
    end
    for _, name in ipairs(IDENTITY) do
        txn.http:req_del_header(name)
        local value = first(answer.headers, name)
        if value ~= nil then txn.http:req_set_header(name, value) end
    end
    return nil
end

core.register_action("doorward", { "http-req" }, function(txn, address)
    local is_judged, instead = pcall(refusal, txn, address)
    if not is_judged then
        core.Alert("doorward.lua: " .. tostring(instead))
        instead = UNAVAILABLE
    end
    if instead == nil then return end
    local reply = txn:reply()
    reply:set_status(instead.status)
    for name, value in pairs(instead.headers) do reply:add_header(name, value) end
    reply:set_body(instead.body)
    -- This ends the call, by an error of its own that nothing may catch.
    txn:done(reply)
end, 1)
